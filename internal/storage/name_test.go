package storage_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"minimax-files-mcp/internal/storage"
)

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"output_aigc.mp4":                 "output_aigc.mp4",
		"MiniMax Open Platform-Test.docx": "MiniMax Open Platform-Test.docx",
		"映像.mp4":                          "映像.mp4",
		"cafe\u0301.mp3":                  "café.mp3",
		"../../etc/passwd":                "passwd",
		`..\..\boot.ini`:                  "boot.ini",
		"/":                               "fallback",
		"":                                "fallback",
		".":                               "fallback",
		"..":                              "fallback",
		"...":                             "fallback",
		"   ":                             "fallback",
		".bashrc":                         "bashrc",
		"-rf":                             "rf",
		"~root":                           "root",
		"a\x00b":                          "ab",
		"a\u202egpj.exe":                  "agpj.exe",
		"a\u200bb\ufeff.mp4":              "ab.mp4",
		"a\U000E0041b":                    "ab",
		"line\nbreak":                     "line break",
		`a<b>c:d"e|f?g*h`:                 "a_b_c_d_e_f_g_h",
		"trailing. . ":                    "trailing",
		"CON":                             "_CON",
		"con.mp4":                         "_con.mp4",
		"Com¹.txt":                        "_Com¹.txt",
		"COM10.txt":                       "COM10.txt",
		"LPT0":                            "_LPT0",
		"conin$":                          "_conin$",
		"\xff\xfe.mp4":                    "_.mp4",
		strings.Repeat("x", 600) + ".mp4": strings.Repeat("x", 196) + ".mp4",
		strings.Repeat("映", 200) + ".mp4": strings.Repeat("映", 65) + ".mp4",
		"CON" + strings.Repeat(" ", 300) + ".mp4": "_CON.mp4",
	} {
		if got := storage.CleanName(in, "fallback"); got != want {
			t.Errorf("CleanName(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestAddSuffix(t *testing.T) {
	for _, tt := range []struct{ name, suffix, want string }{
		{"output_aigc.mp4", "-7", "output_aigc-7.mp4"},
		{"file", "-7", "file-7"},
		{strings.Repeat("x", 200), "-7", strings.Repeat("x", 198) + "-7"},
		{strings.Repeat("映", 65) + ".mp4", "-77777", strings.Repeat("映", 63) + "-77777.mp4"},
	} {
		if got := storage.AddSuffix(tt.name, tt.suffix); got != tt.want || len(got) > 200 {
			t.Errorf("AddSuffix(%q, %q) = %q, want %q", tt.name, tt.suffix, got, tt.want)
		}
	}
}

// holdsClean is what every clean name promises.
func holdsClean(t interface{ Errorf(string, ...any) }, in string) {
	got := storage.CleanName(in, "fallback")
	switch {
	case got == "" || len(got) > 200 || !utf8.ValidString(got),
		strings.ContainsAny(got, "/\\<>:\"|?*\x00"),
		strings.HasPrefix(got, "."), strings.HasPrefix(got, "-"), strings.HasSuffix(got, "."), strings.HasSuffix(got, " "),
		!filepath.IsLocal(got),
		storage.Visible(got) != got:
		t.Errorf("CleanName(%q) = %q", in, got)
	}
	if again := storage.CleanName(got, "fallback"); again != got {
		t.Errorf("CleanName(%q) = %q, and cleaned again %q", in, got, again)
	}
}

func TestCleanName_of_anything_is_clean_and_stays_so(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"CON", "NUL", "COM1", ".", "..", "/", `\`, " ", ".mp4", "\u202e", "~", "-", "_", "e\u0301"}),
			rapid.StringN(100, 300, -1),
		), 0, 6).Draw(t, "parts")
		holdsClean(t, strings.Join(parts, ""))
	})
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"output_aigc.mp4", "../../etc/passwd", "CON.", "a\u202eb", strings.Repeat("é", 300) + ".mp4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) { holdsClean(t, in) })
}
