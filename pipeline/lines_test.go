package pipeline

import "testing"

func TestWithLinesOf(t *testing.T) {
	const older = "#include <a.h>\n\nint f(void)\n{\n\treturn __LINE__;\n}\n\nint g(void)\n{\n\treturn __LINE__;\n}\nint h(void)\n{\n\treturn __LINE__;\n}\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing changes", older, older},
		{"a new line at the top", "#include <b.h>\n" + older,
			"#include <b.h>\n#include <a.h>\n\nint f(void)\n{\n\treturn __LINE__;\n}\n#line 7\n\nint g(void)\n{\n\treturn __LINE__;\n}\nint h(void)\n{\n\treturn __LINE__;\n}\n"},
		{"a line gone from the first function",
			"#include <a.h>\n\nint f(void)\n{\n}\n\nint g(void)\n{\n\treturn __LINE__;\n}\nint h(void)\n{\n\treturn __LINE__;\n}\n",
			"#include <a.h>\n\nint f(void)\n{\n}\n\nint g(void)\n{\n\treturn __LINE__;\n}\n#line 12\nint h(void)\n{\n\treturn __LINE__;\n}\n"},
		{"a change in the last lines", older + "int i;\n", older + "int i;\n"},
		{"a macro of several lines stays whole", "#define A 1\n#define B \\\n\n#define C \\\n\tx\n" + older, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(withLinesOf([]byte(older), []byte(c.text))); c.want != "" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
