package pipeline

import "testing"

func TestWithDefinition(t *testing.T) {
	const older = "int x;\nstruct s {\n\tint a; /* } */\n};\nint y;\n"
	for _, c := range []struct {
		name, older, text string
		olderLine, line   int64
		want              string
	}{
		{"a member more", older, "int x, z;\n\nstruct s {\n\tint a; /* } */\n\tint b;\n};\nint y;\n", 2, 3,
			"int x, z;\n\nstruct s {\n\tint a; /* } */\n\n#line 6\n};\nint y;\n"},
		{"a struct in it, and an attribute", "struct s { struct { int a; } b; } __packed;\n", "struct s\n{\n struct { int c; } b;\n} __packed;\n", 1, 1,
			"struct s\n{ struct { int a; } b; \n#line 4\n} __packed;\n"},
		{"a brace in a comment or a string", "struct s { int a; };\n", "enum e { A = '}', // }\n B = sizeof(\"}\\\"\"), C };\n", 1, 1, "enum e { int a; \n#line 2\n};\n"},
		{"a declaration", "struct s { int a; };\n", "struct s;\nstruct s { int a, b; };\n", 1, 1, ""},
		{"made by a macro", "struct s { int a; };\n", "#define S struct s { int a; int b; }\nS;\n", 1, 1, ""},
		{"in a macro of several lines", "struct s { int a; };\n", "struct s { int a; \\\n int b; };\n", 1, 1, ""},
		{"no such line", "struct s { int a; };\n", "struct s { int a; };\n", 1, 7, ""},
		{"no end", "struct s { int a; };\n", "struct s { int a;\n", 1, 1, ""},
		{"nothing there", "struct s { int a; };\n", "}\n", 1, 1, ""},
		{"a comment without an end", "struct s { int a; };\n", "struct s { /* int a; };\n", 1, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := withDefinition([]byte(c.older), []byte(c.text), c.olderLine, c.line)
			if string(got) != c.want || ok != (c.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, c.want)
			}
		})
	}
}

func FuzzWithDefinition(f *testing.F) {
	f.Add([]byte("struct s {\n\tint a; /* } */\n\tchar b[sizeof(\"}\")]; // '\n};\n"), int64(1))
	f.Fuzz(func(t *testing.T, text []byte, line int64) {
		withDefinition(text, text, line, line)
	})
}
