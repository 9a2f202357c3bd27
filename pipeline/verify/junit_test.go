package verify

import (
	"bytes"
	"errors"
	"testing"
)

func TestJUnit(t *testing.T) {
	bad := Step{Name: "install", What: "dpkg -i b.deb", Seconds: 2, Problems: []string{"ftrace redirects [\"a\"], want [\"b\"]", "kernel log: <4> WARNING"}}
	attempts := []Attempt{
		{Package: "dist/a.deb", Result: &Result{ID: "0badcafe", Release: "6.1.0-1-amd64", BuildID: "00", Accel: "tcg", Verified: true, Seconds: 12.5, Absent: []string{"xfs"},
			Steps: []Step{{Name: "boot", What: "6.1.0-1-amd64", Seconds: 9.25}, {Name: "install", What: "dpkg -i a.deb", Seconds: 3.25}}}},
		{Package: "b.deb", Result: &Result{ID: "1", Release: "r", BuildID: "01", Steps: []Step{bad}}, Err: &Failed{Package: "b.deb", Step: bad}},
		{Package: "c.deb", Result: &Result{ID: "2", Steps: []Step{{Name: "boot", What: "r", Problems: []string{"vm: no QEMU"}}}}, Err: errors.New("vm: no QEMU")},
		{Package: "d.deb", Err: errors.New("file \"d.deb\": <not> a package")},
	}
	var got bytes.Buffer
	if err := WriteJUnit(&got, attempts); err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="a.deb" tests="2" failures="0" errors="0" time="12.500">
    <properties>
      <property name="id" value="0badcafe"></property>
      <property name="release" value="6.1.0-1-amd64"></property>
      <property name="build_id" value="00"></property>
      <property name="accel" value="tcg"></property>
      <property name="not_loadable_here" value="xfs"></property>
    </properties>
    <testcase classname="a.deb" name="boot: 6.1.0-1-amd64" time="9.250"></testcase>
    <testcase classname="a.deb" name="install: dpkg -i a.deb" time="3.250"></testcase>
  </testsuite>
  <testsuite name="b.deb" tests="1" failures="1" errors="0" time="0.000">
    <properties>
      <property name="id" value="1"></property>
      <property name="release" value="r"></property>
      <property name="build_id" value="01"></property>
      <property name="accel" value=""></property>
    </properties>
    <testcase classname="b.deb" name="install: dpkg -i b.deb" time="2.000">
      <failure message="ftrace redirects [&#34;a&#34;], want [&#34;b&#34;]">ftrace redirects [&#34;a&#34;], want [&#34;b&#34;]&#xA;kernel log: &lt;4&gt; WARNING</failure>
    </testcase>
  </testsuite>
  <testsuite name="c.deb" tests="1" failures="0" errors="1" time="0.000">
    <properties>
      <property name="id" value="2"></property>
      <property name="release" value=""></property>
      <property name="build_id" value=""></property>
      <property name="accel" value=""></property>
    </properties>
    <testcase classname="c.deb" name="boot: r" time="0.000">
      <error message="vm: no QEMU">vm: no QEMU</error>
    </testcase>
  </testsuite>
  <testsuite name="d.deb" tests="1" failures="0" errors="1" time="0.000">
    <testcase classname="d.deb" name="open" time="0.000">
      <error message="file &#34;d.deb&#34;: &lt;not&gt; a package">file &#34;d.deb&#34;: &lt;not&gt; a package</error>
    </testcase>
  </testsuite>
</testsuites>
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
