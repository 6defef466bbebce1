package storage

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// ErrGone is that of a file which was taken away while it was put together.
var ErrGone = errors.New("the directory, or the unfinished file in it, was removed or moved meanwhile")

// Commit makes the file durable and gives it its name. If that is taken it
// returns [ErrExists], and what was put together is dropped.
func (p *Part) Commit() error {
	if size := p.held.header.Size; size > 0 { // somebody may have added to it
		if err := p.file.Truncate(size); err != nil {
			return translate(err)
		}
	}
	if err := p.file.Sync(); err != nil {
		return translate(err)
	}
	if !p.dir.stands(p.root) || !p.sameFile(p.file, p.path(".part")) {
		return ErrGone
	}
	err := p.publish()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrGone
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return translate(err)
	}
	if err == nil {
		if syncErr := p.syncParents(); syncErr != nil {
			if p.sameFile(p.file, p.name) { // and not another's by now
				syncErr = errors.Join(syncErr, p.root.Remove(p.name)) // it is not durable
			}
			return translate(syncErr)
		}
	}
	// While it is locked: the next one to lock it must not find these names.
	dropped := errors.Join(p.remove(), p.Close())
	if err != nil {
		return translate(err)
	}
	return translate(dropped)
}

// publish links, because unlike a rename a link never replaces a file.
func (p *Part) publish() error {
	err := p.root.Link(p.path(".part"), p.name)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Some file systems (exFAT, many network ones) have no links. What is lost
	// there is only the guard against a file that another process makes in
	// this instant.
	p.dir.publishing.Lock()
	defer p.dir.publishing.Unlock()
	if _, err := p.root.Lstat(p.name); err == nil {
		return fs.ErrExist
	}
	// The journal goes first: once the name is free, another may have it.
	if err := p.root.Remove(p.path(".journal")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.removed = true
	return p.root.Rename(p.path(".part"), p.name)
}

// syncParents makes the new name durable, and the directories on the way to
// it, where the system lets a directory be synced.
func (p *Part) syncParents() error {
	for parent := filepath.Dir(p.name); ; parent = filepath.Dir(parent) {
		dir, err := p.root.Open(parent)
		if err != nil {
			return nil //nolint:nilerr // it can be written to but not read, so not synced
		}
		err = dir.Sync()
		dir.Close()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) && !isInvalid(err) {
			return err
		}
		if parent == "." {
			return nil
		}
	}
}
