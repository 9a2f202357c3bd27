package supply

// statement is an in-toto statement with SLSA provenance.
//
// Source: in-toto attestation framework, Statement v1; SLSA 1.0, provenance v1.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type predicate struct {
	BuildDefinition struct {
		BuildType    string         `json:"buildType"`
		Parameters   map[string]any `json:"externalParameters"`
		Dependencies []resource     `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version"`
		} `json:"builder"`
	} `json:"runDetails"`
}

// resource is a resource descriptor: an artifact by its hash.
type resource struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// buildType says how to read the parameters: docs/supply-chain.md. It changes when they get another meaning.
const buildType = "pkg:golang/livesplice#create-v1"

// Provenance is what the update was made from, by whom, and how. It has no times: those of a build would differ from run to
// run. Whoever signs it adds them with the signature.
func (u *Update) Provenance() ([]byte, error) {
	s := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	sha := func(sum string) map[string]string {
		if sum == "" {
			return nil
		}
		return map[string]string{"sha256": sum}
	}
	for _, p := range u.Packages {
		s.Subject = append(s.Subject, resource{Name: p.File, Digest: sha(p.SHA256)})
	}
	m := u.Manifest
	s.Subject = append(s.Subject, resource{Name: m.ModuleFile, Digest: sha(m.ModuleSHA256)})
	def, run := &s.Predicate.BuildDefinition, &s.Predicate.RunDetails
	def.BuildType, def.Parameters = buildType, u.Parameters
	for _, in := range u.Inputs {
		notes := map[string]string{"role": in.Role}
		if in.Version != "" {
			notes["version"] = in.Version
		}
		def.Dependencies = append(def.Dependencies, resource{Name: in.Name, Digest: sha(in.SHA256), Annotations: notes})
	}
	for _, tool := range []struct{ role, name string }{{"compiler", m.Toolchain.Compiler}, {"linker", m.Toolchain.Linker}} {
		def.Dependencies = append(def.Dependencies, resource{Name: tool.name, Annotations: map[string]string{"role": tool.role}})
	}
	run.Builder.ID, run.Builder.Version = "pkg:golang/livesplice", map[string]string{"livesplice": m.Toolchain.Livesplice}
	return indented(s)
}
