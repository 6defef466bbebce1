package storage_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"minimax-files-mcp/internal/storage"
)

func newDir(t *testing.T) *storage.Dir {
	t.Helper()
	d, err := storage.NewDir(filepath.Join(t.TempDir(), "downloads"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// put stores content under name.
func put(t *testing.T, d *storage.Dir, name, content string) error {
	t.Helper()
	p, err := d.Part(t.Context(), name, "owner")
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Begin([]byte("version"), int64(len(content)), 4); err != nil {
		return err
	}
	if _, err := p.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	return p.Commit()
}

// entries lists what the directory holds, hidden files too.
func entries(t *testing.T, d *storage.Dir) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(d.Path(), func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(d.Path(), p)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestDir_Commit(t *testing.T) {
	d := newDir(t)
	if err := put(t, d, "a/b/clip.mp4", "whole"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(d.Join("a/b/clip.mp4")); err != nil || string(got) != "whole" {
		t.Errorf("%q, %v", got, err)
	}
	if got := entries(t, d); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
	size, exists, err := d.Size("a/b/clip.mp4")
	if size != 5 || !exists || err != nil {
		t.Errorf("Size: %d, %v, %v", size, exists, err)
	}
	sum, err := d.SHA256(t.Context(), "a/b/clip.mp4")
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("whole"))); sum != want || err != nil {
		t.Errorf("SHA256: %s, %v", sum, err)
	}
}

func TestDir_never_replaces(t *testing.T) {
	d := newDir(t)
	if err := put(t, d, "clip.mp4", "first"); err != nil {
		t.Fatal(err)
	}
	if err := put(t, d, "clip.mp4", "second"); !errors.Is(err, storage.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	if got, _ := os.ReadFile(d.Join("clip.mp4")); string(got) != "first" {
		t.Errorf("the file is now %q", got)
	}
	if got := entries(t, d); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
	t.Run("of many at once, one wins", func(t *testing.T) {
		var wg sync.WaitGroup
		won := make(chan bool, 8)
		for i := range 8 {
			wg.Go(func() {
				if put(t, d, "race.mp4", strings.Repeat("x", i+1)) == nil {
					won <- true
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d won", len(won))
		}
	})
}

func TestPart_outlives_its_run(t *testing.T) {
	d := newDir(t)
	begin := func(t *testing.T) {
		p, err := d.Part(t.Context(), "clip.mp4", "owner")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Begin([]byte("version"), 10, 4); err != nil {
			t.Fatal(err)
		}
		p.WriteAt([]byte("89"), 8) // out of order
		p.WriteAt([]byte("01"), 0)
		p.WriteAt([]byte("234"), 2) // over a boundary
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	held := func(t *testing.T, owner string) string {
		t.Helper()
		p, err := d.Part(t.Context(), "clip.mp4", owner)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		description, size, parts := p.Held()
		return fmt.Sprintf("%s %d %v", description, size, parts)
	}
	begin(t)
	if got := entries(t, d); len(got) != 2 || slices.Contains(got, "clip.mp4") {
		t.Errorf("kept: %v", got)
	}
	for range 2 { // reading it changes nothing
		if got := held(t, "owner"); got != "version 4 map[0:true 2:true]" {
			t.Errorf("held: %s", got)
		}
	}
	t.Run("also where a crash tore the journal's last line", func(t *testing.T) {
		f, _ := os.OpenFile(d.Join(".clip.mp4.journal"), os.O_APPEND|os.O_WRONLY, 0)
		f.WriteString("0123abcd {\"part\":1,")
		f.Close()
		if got := held(t, "owner"); got != "version 4 map[0:true 2:true]" {
			t.Errorf("held: %s", got)
		}
	})
	t.Run("and a call that is withdrawn changes nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Part(ctx, "clip.mp4", "owner"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want it cancelled", err)
		}
		if got := held(t, "owner"); got != "version 4 map[0:true 2:true]" {
			t.Errorf("held: %s", got)
		}
	})
	t.Run("but not where its bytes differ", func(t *testing.T) {
		f, _ := os.OpenFile(d.Join(".clip.mp4.part"), os.O_WRONLY, 0)
		f.WriteAt([]byte("x"), 9)
		f.Close()
		if got := held(t, "owner"); got != "version 4 map[0:true]" {
			t.Errorf("held: %s", got)
		}
	})
	t.Run("nor for another owner", func(t *testing.T) {
		if got := held(t, "another"); got != " 0 map[]" {
			t.Errorf("held: %s", got)
		}
	})
	t.Run("who leaves it alone until it begins", func(t *testing.T) {
		if got := held(t, "owner"); got != "version 4 map[0:true]" {
			t.Errorf("held: %s", got)
		}
	})
}

func TestPart_has_one_holder(t *testing.T) {
	d := newDir(t)
	p, err := d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Part(t.Context(), "clip.mp4", "owner"); !errors.Is(err, storage.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if err := p.Begin([]byte("version"), 10, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Part(t.Context(), "clip.mp4", "another"); !errors.Is(err, storage.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("%v, want ErrBusy and who it is", err)
	}
	p.Close()
	if err := put(t, d, "clip.mp4", "free again"); err != nil {
		t.Error(err)
	}
}

// TestPart_that_was_published_is_left_alone: a process may be killed after the
// file got its name and before the hidden one is gone. They are one file then,
// also when the user has given it another name since.
func TestPart_that_was_published_is_left_alone(t *testing.T) {
	for _, name := range []string{"clip.mp4", "keep.mp4"} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			p, err := d.Part(t.Context(), "clip.mp4", "owner")
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Begin([]byte("version"), 5, 4); err != nil {
				t.Fatal(err)
			}
			p.WriteAt([]byte("whole"), 0)
			if err := os.Link(d.Join(".clip.mp4.part"), d.Join(name)); err != nil {
				t.Skipf("links are needed: %v", err)
			}
			p.Close()
			err = put(t, d, "clip.mp4", "something else")
			if name == "clip.mp4" && !errors.Is(err, storage.ErrExists) || name != "clip.mp4" && err != nil {
				t.Errorf("put: %v", err)
			}
			if got, _ := os.ReadFile(d.Join(name)); string(got) != "whole" {
				t.Errorf("the file is now %q", got)
			}
			for _, left := range entries(t, d) {
				if strings.HasPrefix(left, ".") {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestPart_that_one_publishes_while_others_begin(t *testing.T) {
	d := newDir(t)
	for range 30 {
		var wg sync.WaitGroup
		published := make(chan string, 8)
		for i := range 8 {
			wg.Go(func() {
				content := strings.Repeat(fmt.Sprint(i), 100)
				for {
					err := put(t, d, "clip.mp4", content)
					if err == nil {
						published <- content
					}
					if !errors.Is(err, storage.ErrBusy) {
						return
					}
				}
			})
		}
		wg.Wait()
		close(published)
		got, err := os.ReadFile(d.Join("clip.mp4"))
		if want := <-published; err != nil || string(got) != want || len(published) > 0 {
			t.Fatalf("%.10q…, %v; want %.10q… and no other", got, err, want)
		}
		if got := entries(t, d); len(got) != 1 {
			t.Fatalf("left behind: %v", got)
		}
		if err := os.Remove(d.Join("clip.mp4")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPart_that_is_taken_away(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("what is open can't be taken away on Windows")
	}
	for name, take := range map[string]func(d *storage.Dir) error{
		"the directory is removed": func(d *storage.Dir) error { return os.RemoveAll(d.Path()) },
		"the directory is moved":   func(d *storage.Dir) error { return os.Rename(d.Path(), d.Path()+"-moved") },
		"the file is removed":      func(d *storage.Dir) error { return os.Remove(d.Join(".clip.mp4.part")) },
		"another is in its place": func(d *storage.Dir) error {
			return errors.Join(os.Remove(d.Join(".clip.mp4.part")), os.WriteFile(d.Join(".clip.mp4.part"), []byte("mine"), 0o600))
		},
	} {
		for _, size := range []int64{8, -1} {
			t.Run(fmt.Sprintf("%s, size %d", name, size), func(t *testing.T) {
				d := newDir(t)
				p, err := d.Part(t.Context(), "clip.mp4", "owner")
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if err := p.Begin([]byte("version"), size, 4); err != nil {
					t.Fatal(err)
				}
				if _, err := p.WriteAt([]byte("0123"), 0); err != nil {
					t.Fatal(err)
				}
				if err := take(d); err != nil {
					t.Fatal(err)
				}
				_, err = p.WriteAt([]byte("4567"), 4)
				if err == nil {
					err = p.Commit()
				}
				if !errors.Is(err, storage.ErrGone) {
					t.Errorf("%v, want ErrGone", err)
				}
				p.Close()
				if mine, err := os.ReadFile(d.Join(".clip.mp4.part")); strings.HasPrefix(name, "another") && string(mine) != "mine" {
					t.Errorf("what was put in its place is now %q, %v", mine, err)
				}
				for _, dir := range []string{d.Path(), d.Path() + "-moved"} {
					if _, err := os.Stat(filepath.Join(dir, "clip.mp4")); err == nil {
						t.Errorf("there is a file in %s", dir)
					}
				}
			})
		}
	}
}

func TestPart_that_somebody_added_to(t *testing.T) {
	d := newDir(t)
	p, err := d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Begin([]byte("version"), 5, 4); err != nil {
		t.Fatal(err)
	}
	p.WriteAt([]byte("whole"), 0)
	if err := os.Truncate(d.Join(".clip.mp4.part"), 900); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(d.Join("clip.mp4")); string(got) != "whole" {
		t.Errorf("%d bytes: %.10q", len(got), got)
	}
}

func TestPart_beside_a_pipe(t *testing.T) {
	d := newDir(t)
	if err := os.MkdirAll(d.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makePipe(d.Join(".clip.mp4.journal")); err != nil {
		t.Skip(err)
	}
	if err := put(t, d, "clip.mp4", "whole"); err != nil { // and it does not wait for a writer
		t.Fatal(err)
	}
}

func TestPart_can_be_begun_again(t *testing.T) {
	d := newDir(t)
	p, err := d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, content := range []string{"the first version", "the second"} {
		if err := p.Begin([]byte("v"), int64(len(content)), 4); err != nil {
			t.Fatal(err)
		}
		if _, err := p.WriteAt([]byte(content), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(d.Join("clip.mp4")); string(got) != "the second" {
		t.Errorf("%q", got)
	}
}

func TestDir_Resolve(t *testing.T) {
	d := newDir(t)
	if err := os.MkdirAll(d.Join("films"), 0o755); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"":                 "base.mp4",
		".":                "base.mp4",
		"clip.mp4":         "clip.mp4",
		"./clip.mp4":       "clip.mp4",
		"new/clip.mp4":     "new/clip.mp4",
		"new/":             "new/base.mp4",
		"films":            "films/base.mp4",
		"a/../clip.mp4":    "clip.mp4",
		d.Join("x.mp4"):    "x.mp4",
		d.Path():           "base.mp4",
		"Ünï cödé (2).mp4": "Ünï cödé (2).mp4",
	} {
		if got, err := d.Resolve(asked, "base.mp4"); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v; want %q", asked, got, err, want)
		}
	}
	for _, asked := range []string{"~", "~/x.mp4", "file:///tmp/x.mp4", "https://example.org/x.mp4"} {
		if got, err := d.Resolve(asked, "base.mp4"); !errors.Is(err, storage.ErrNotAPath) {
			t.Errorf("Resolve(%q) = %q, %v; want ErrNotAPath", asked, got, err)
		}
	}
	for _, asked := range []string{"../x.mp4", "a/../../x.mp4", "/etc/passwd", d.Path() + "-evil/x.mp4", "..", filepath.Dir(d.Path())} {
		if got, err := d.Resolve(asked, "base.mp4"); !errors.Is(err, storage.ErrOutside) {
			t.Errorf("Resolve(%q) = %q, %v; want ErrOutside", asked, got, err)
		}
	}
	for asked, suggest := range map[string]string{
		"CON":                    "_CON",
		"films/nul.mp4":          "_nul.mp4",
		"a\x00b.mp4":             "ab.mp4",
		"a\u202e4pm.exe":         "a4pm.exe",
		strings.Repeat("x", 600): strings.Repeat("x", 200),
		".ssh/authorized_keys":   "ssh",
		"what?.mp4":              "what_.mp4",
	} {
		_, err := d.Resolve(asked, "base.mp4")
		var name *storage.NameError
		if !errors.As(err, &name) || name.Suggest != suggest {
			t.Errorf("Resolve(%.40q): %v, want a NameError that suggests %q", asked, err, suggest)
		}
	}
}

func TestDir_Source(t *testing.T) {
	d := newDir(t)
	if err := put(t, d, "sub/voice.mp3", "la la"); err != nil {
		t.Fatal(err)
	}
	f, size, err := d.Source("sub/voice.mp3")
	if err != nil || size != 5 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	f.Close()
	outside := filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{os.WriteFile(outside, []byte("x"), 0o600), os.Symlink(outside, d.Join("link.mp3"))} {
		if err != nil {
			t.Skip(err)
		}
	}
	if err := makePipe(d.Join("pipe.mp3")); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]error{
		"sub": storage.ErrNotAFile, "pipe.mp3": storage.ErrNotAFile, "link.mp3": storage.ErrOutside, "../secret": storage.ErrOutside, "none.mp3": fs.ErrNotExist,
	} {
		if f, _, err := d.Source(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", name, f, err, want)
		}
	}
}

func TestDir_links_lead_nowhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making symbolic links needs a privilege on Windows")
	}
	d := newDir(t)
	outside := t.TempDir()
	if err := os.MkdirAll(d.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "up": "..", "file.mp4": filepath.Join(outside, "new.mp4")} {
		if err := os.Symlink(target, d.Join(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, asked := range []string{"out/x.mp4", "up/x.mp4", "out/", "out"} {
		name, err := d.Resolve(asked, "base.mp4")
		if err == nil {
			err = put(t, d, name, "escaped")
		}
		if !errors.Is(err, storage.ErrOutside) {
			t.Errorf("%q: %v, want ErrOutside", asked, err)
		}
	}
	if err := put(t, d, "file.mp4", "escaped"); err == nil {
		t.Error("a link was written through")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("outside there is now %v", left)
	}
}

func TestDir_that_was_removed_is_made_again(t *testing.T) {
	d := newDir(t)
	if err := put(t, d, "a.mp4", "a"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Skipf("an open directory can't be removed here: %v", err)
	}
	if err := put(t, d, "b.mp4", "b"); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, d); len(got) != 1 || got[0] != "b.mp4" {
		t.Errorf("%v", got)
	}
}

func TestDir_that_cannot_be_written_says_so(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(parent, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := storage.NewDir(filepath.Join(parent, "downloads"))
	if err != nil {
		t.Fatal(err)
	}
	if err := put(t, d, "x", "x"); err == nil {
		t.Error("no error below a file")
	}
}
