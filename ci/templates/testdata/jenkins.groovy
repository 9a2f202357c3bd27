// usage: jenkins.groovy CODE... JENKINSFILE
//
// Runs a Jenkinsfile as if livesplice had ended with each exit code, and prints what becomes of the build. The steps are
// stand-ins; a name that is none of declarative Pipeline's, or of a step that is used here, is an error.
abstract class Steps extends Script {
    static final sections = ['pipeline', 'agent', 'options', 'stages', 'stage', 'steps', 'script', 'post', 'always']
    static final values = ['label', 'timeout', 'junit', 'archiveArtifacts']

    def methodMissing(String name, args) {
        if (name in sections) {
            args.findAll { it instanceof Closure }.each { it() }
        } else if (!(name in values)) {
            throw new MissingMethodException(name, this.class, args)
        }
    }

    def sh(Map how) {
        assert how.returnStatus && how.script.contains('livesplice create --json')
        binding.code
    }

    // Without returnStatus a command that fails ends the build.
    def sh(String script) { assert binding.code == 0 && script.contains('livesplice verify --junit') }

    def unstable(message) { binding.currentBuild.result = 'UNSTABLE' }

    def error(message) { binding.currentBuild.result = 'FAILURE' }
}

def config = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: Steps.name)
args.init().each { code ->
    def build = [result: 'SUCCESS']
    def binding = new Binding(code: code as int, currentBuild: build)
    new GroovyShell(this.class.classLoader, binding, config).evaluate(new File(args.last()))
    println "${code} ${build.result}"
}
