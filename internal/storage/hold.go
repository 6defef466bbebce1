package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrBusy is that of a file which somebody else is putting together.
var ErrBusy = errors.New("another download of this file is under way")

// BusyError is [ErrBusy] with who it is.
type BusyError struct{ PID int }

func (e *BusyError) Error() string { return fmt.Sprintf("%v (by process %d)", ErrBusy, e.PID) }
func (e *BusyError) Unwrap() error { return ErrBusy }

// Part takes hold of the unfinished file that is to be called name. What an
// earlier run left of it is kept if it was of the same owner, such as the id
// of what it is a copy of. It returns [ErrBusy] while somebody else has it, in
// this process or another. What is held is read, which takes time where it is
// much: ctx ends it.
func (d *Dir) Part(ctx context.Context, name, owner string) (*Part, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	p := &Part{dir: d, root: root, name: filepath.FromSlash(name), owner: owner, writing: map[int64]*partSum{}}
	if parent := filepath.Dir(p.name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return nil, translate(err)
		}
	}
	if p.file, err = p.lock(); err != nil {
		return nil, translate(err)
	}
	if err := p.load(ctx); err != nil {
		p.file.Close() // and what it holds stays as it is
		return nil, err
	}
	return p, nil
}

// lock opens the hidden file, makes it if need be, and locks it. The file that
// was locked may have been published or removed meanwhile; then it is not the
// one of that name, and the next one is tried.
func (p *Part) lock() (*os.File, error) {
	for range 10 {
		f, err := p.root.OpenFile(p.path(".part"), os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			f.Close()
			if isLocked(err) {
				err = p.busy()
			}
			return nil, err
		}
		// A second name is the published one, if a crash came between giving it and
		// tidying up, whatever that file is called by now; or it leads elsewhere.
		// Either way its bytes are not ours.
		if links, err := linkCount(f); err != nil || links > 1 {
			f.Close()
			if err = errors.Join(err, p.removeHidden()); err != nil {
				return nil, err
			}
			continue
		}
		if p.sameFile(f, p.path(".part")) {
			return f, nil
		}
		f.Close()
	}
	return nil, p.busy()
}

// sameFile reports that a name is that of an open file.
func (p *Part) sameFile(f *os.File, path string) bool {
	ours, err := f.Stat()
	there, err2 := p.root.Lstat(path)
	return err == nil && err2 == nil && there.Mode().IsRegular() && os.SameFile(ours, there)
}

// busy says who holds the file, as far as its journal tells.
func (p *Part) busy() error {
	f, err := p.root.OpenFile(p.path(".journal"), os.O_RDONLY|nonblock, 0) // a pipe must not make it wait
	if err != nil {
		return ErrBusy
	}
	defer f.Close()
	if held, ok := readJournal(f); ok && held.header.PID != 0 {
		return &BusyError{held.header.PID}
	}
	return ErrBusy
}

// load reads the journal and holds it against the bytes.
func (p *Part) load(ctx context.Context) error {
	f, err := p.root.OpenFile(p.path(".journal"), os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil //nolint:nilerr // there is nothing to go on from
	}
	held, ok := readJournal(f)
	f.Close()
	if !ok || held.header.Owner != p.owner {
		return nil
	}
	if err := held.verify(ctx, p.file); err != nil {
		return err
	}
	// Written anew, so that what a crash tore is not in the way of what is added.
	// Where there is no room for it, what is held is better kept than begun anew.
	if p.journal, err = p.writeJournal(held); err != nil {
		return translate(err)
	}
	p.held = held
	return nil
}

// writeJournal puts a journal in the place of the one before.
func (p *Part) writeJournal(j journal) (*os.File, error) {
	const next = ".journal.new"
	f, err := p.root.OpenFile(p.path(next), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	j.header.PID = os.Getpid()
	text := journalLine(j.header)
	for part, sum := range j.sums {
		text = append(text, journalLine(journalPart{part, sum})...)
	}
	_, err = f.Write(text)
	if err == nil {
		err = p.root.Rename(p.path(next), p.path(".journal"))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), p.root.Remove(p.path(next)))
	}
	return f, nil
}
