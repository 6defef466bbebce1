// Package storage keeps downloaded files. [Dir] is a directory that no name
// and no symbolic link leads out of. A [Part] is a file that is being put
// together in it: it appears under its name only when it is whole, and never
// in place of another.
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// What a caller may want to tell apart, with [errors.Is].
var (
	ErrOutside  = errors.New("the path leads out of the allowed directory")
	ErrExists   = errors.New("another file has that name")
	ErrNotAPath = errors.New("a path is wanted, and neither ~ nor a URL is one")
	ErrFull     = errors.New("the disk is full")
	ErrDenied   = errors.New("the directory can't be written to")
)

// A NameError is a name that would be a trap on some system. Suggest is a name
// that would not.
type NameError struct{ Name, Suggest string }

func (e *NameError) Error() string {
	if len(e.Name) > maxName {
		return fmt.Sprintf("the name %.40q… is %d bytes long, and %d are possible", e.Name, len(e.Name), maxName)
	}
	return fmt.Sprintf("the name %q has characters or a form that is not safe for a file", e.Name)
}

// A Dir is a directory that files are put in, and nothing outside of it. It is
// made when it is first written to. Its methods take slash-separated names
// relative to it, as [Dir.Resolve] returns them, and may be called from several
// goroutines.
type Dir struct {
	path string

	mu   sync.Mutex
	root *os.Root // nil until it is needed

	publishing sync.Mutex // where the file system has no links
	unpacking  sync.Mutex
}

// NewDir names a directory without touching the disk.
func NewDir(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &Dir{path: abs}, nil
}

// open makes the directory if need be, and makes it again if somebody tidied
// it away while the server ran.
func (d *Dir) open() (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		if d.stands(d.root) {
			return d.root, nil
		}
		d.root = nil // not closed: somebody may be writing by it still
	}
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return nil, translate(err)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, translate(err)
	}
	d.root = root
	return root, nil
}

// stands reports that the directory's path is still the one that root holds.
func (d *Dir) stands(root *os.Root) bool {
	held, err := root.Stat(".")
	there, err2 := os.Stat(d.path)
	return err == nil && err2 == nil && os.SameFile(held, there)
}

// Close lets go of the directory; a later call takes hold of it again.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root := d.root
	d.root = nil
	if root == nil {
		return nil
	}
	return root.Close()
}

// Path is the absolute path of the directory.
func (d *Dir) Path() string { return d.path }

// Join is the absolute path of a name in the directory.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Resolve checks a path that somebody asked for and returns the name of the
// file it means: relative to the directory, or absolute within it. A path that
// is a directory, or ends in a slash, gets base as its last element.
func (d *Dir) Resolve(asked, base string) (string, error) {
	const fallback = "file" // of a suggestion
	if strings.ContainsRune(asked, 0) {
		return "", &NameError{asked, CleanName(asked, fallback)}
	}
	if asked == "~" || strings.HasPrefix(asked, "~/") || strings.Contains(asked, "://") {
		return "", ErrNotAPath
	}
	asked = filepath.FromSlash(asked)
	wantsDir := strings.HasSuffix(asked, string(filepath.Separator))
	rel := filepath.Clean(asked)
	if filepath.IsAbs(asked) {
		var err error
		if rel, err = filepath.Rel(d.path, rel); err != nil {
			return "", ErrOutside
		}
	}
	if !filepath.IsLocal(rel) && rel != "." {
		if isReserved(filepath.Base(rel)) { // not local on Windows
			return "", &NameError{rel, CleanName(rel, fallback)}
		}
		return "", ErrOutside
	}
	name := filepath.ToSlash(rel)
	if name == "." {
		return base, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if clean := CleanName(part, fallback); clean != part {
			return "", &NameError{part, clean}
		}
	}
	if info, err := d.stat(name); errors.Is(err, ErrOutside) {
		return "", err
	} else if wantsDir || err == nil && info.IsDir() {
		name += "/" + base
	}
	return name, nil
}

// stat follows links, as far as they stay within. It makes nothing.
func (d *Dir) stat(name string) (fs.FileInfo, error) {
	if _, err := os.Stat(d.path); err != nil {
		return nil, err
	}
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(filepath.FromSlash(name))
	return info, translate(err)
}

// Size returns the size of a regular file, false if there is nothing of that
// name, and [ErrExists] if there is something else.
func (d *Dir) Size(name string) (size int64, exists bool, err error) {
	info, err := d.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case !info.Mode().IsRegular():
		return 0, true, ErrExists
	}
	return info.Size(), true, nil
}

// Open opens a file for reading. The caller closes it.
func (d *Dir) Open(name string) (*os.File, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(filepath.FromSlash(name))
	return f, translate(err)
}

// ErrNotAFile is that of a name which is a directory, a device or a pipe.
var ErrNotAFile = errors.New("it is not a file")

// Source opens a regular file to be read from start to end, and returns its
// size in bytes. The caller closes it.
func (d *Dir) Source(name string) (*os.File, int64, error) {
	if _, err := os.Stat(d.path); err != nil { // it is not made for this
		return nil, 0, translate(err)
	}
	root, err := d.open()
	if err != nil {
		return nil, 0, err
	}
	// A pipe must not make it wait for a writer.
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, 0, translate(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotAFile
	}
	if err != nil {
		f.Close()
		return nil, 0, translate(err)
	}
	return f, info.Size(), nil
}

// SHA256 reads a file and returns the digest in hex.
func (d *Dir) SHA256(ctx context.Context, name string) (string, error) {
	f, err := d.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	digest := sha256.New()
	for ctx.Err() == nil {
		_, err := io.CopyN(digest, f, 8<<20)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(digest.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", context.Cause(ctx)
}

// translate maps what the system says to this package's errors. What is left
// keeps its cause, without the names of temporary files.
func translate(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ErrDenied
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case strings.Contains(err.Error(), "path escapes from parent"): // os has no error value for it
		return ErrOutside
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}
