package storage_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"minimax-files-mcp/internal/storage"
)

// tarOf writes an archive of these headers, each with its name as content.
func tarOf(headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(h.Name))
		}
		w.WriteHeader(&h)
		if h.Typeflag == tar.TypeReg {
			w.Write([]byte(h.Name))
		}
	}
	w.Close()
	return b.Bytes()
}

func TestDir_Unpack(t *testing.T) {
	d := newDir(t)
	archive := tarOf(
		tar.Header{Name: "content/", Typeflag: tar.TypeDir},
		tar.Header{Name: "content/speech.mp3"},
		tar.Header{Name: "../../escape.txt"},
		tar.Header{Name: "/etc/CON"},
		tar.Header{Name: `..\up.txt`},
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "content/speech.mp3"},
		tar.Header{Name: "device", Typeflag: tar.TypeChar},
	)
	if err := put(t, d, "sub/speech.tar", string(archive)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, all is there
		got, err := d.Unpack(t.Context(), "sub/speech.tar", 1000)
		if err != nil {
			t.Fatal(err)
		}
		want := "[{sub/speech/content/speech.mp3 18} {sub/speech/escape.txt 16} {sub/speech/etc/_CON 8} {sub/speech/up.txt 9}]"
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if names := entries(t, d); len(names) != 5 {
		t.Errorf("there is now %v", names)
	}
	if err := os.WriteFile(d.Join("sub/speech/escape.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Unpack(t.Context(), "sub/speech.tar", 1000); !errors.Is(err, storage.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	if got, _ := os.ReadFile(d.Join("sub/speech/escape.txt")); string(got) != "mine" {
		t.Errorf("it is now %q", got)
	}
	if _, err := d.Unpack(t.Context(), "sub/speech.tar", 20); err == nil || !strings.Contains(err.Error(), "20 bytes") {
		t.Errorf("%v, want a bound", err)
	}
}

func TestDir_Unpack_without_an_extension(t *testing.T) {
	d := newDir(t)
	if err := put(t, d, "speech", string(tarOf(tar.Header{Name: "a.mp3"}))); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Unpack(t.Context(), "speech", 1000); err != nil || fmt.Sprint(got) != "[{speech-unpacked/a.mp3 5}]" {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(tar.Header{Name: "a/b.mp3"}, tar.Header{Name: "../../x"}))
	f.Add([]byte("not a tar"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		outside := t.TempDir()
		d, err := storage.NewDir(filepath.Join(outside, "a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := put(t, d, "x.tar", string(archive)); err != nil {
			t.Skip()
		}
		d.Unpack(t.Context(), "x.tar", 1<<20)
		for _, dir := range []string{outside, filepath.Join(outside, "a")} {
			if found, _ := os.ReadDir(dir); len(found) != 1 {
				t.Errorf("outside there is now %v", found)
			}
		}
	})
}
