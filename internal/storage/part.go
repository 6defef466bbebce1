package storage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ErrBusy is that of a file which somebody else is putting together.
var ErrBusy = errors.New("another download of this file is under way")

// A Part is a file that is being put together, of parts that come in any
// order: a hidden .NAME.part, and beside it .NAME.journal, which says what it
// holds. Both outlive the process. It ends with Commit, Discard or Close.
type Part struct {
	dir   *Dir
	root  *os.Root
	name  string // the final one, as the system writes paths
	owner string

	file    *os.File // locked, so that nobody else writes to it
	journal *os.File // nil until Begin, or where there was none

	mu      sync.Mutex
	begun   bool
	held    journal
	writing map[int64]*partSum // by part
}

// partSum is the running checksum of a part that is being written.
type partSum struct {
	sum  uint32
	next int64 // where the next byte goes
}

// Part takes hold of the unfinished file that is to be called name. What an
// earlier run left of it is kept if it was of the same owner, such as the id
// of what it is a copy of. It returns [ErrBusy] while somebody else has it, in
// this process or another.
func (d *Dir) Part(name, owner string) (*Part, error) {
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
	if p.file, err = lockFile(root, p.path(".part")); err != nil {
		return nil, translate(err)
	}
	p.load()
	return p, nil
}

// path is that of a hidden file beside the final one.
func (p *Part) path(suffix string) string {
	parent, base := filepath.Split(p.name)
	return parent + "." + base + suffix
}

// lockFile opens the file, makes it if need be, and locks it. The file that
// was locked may have been published or removed meanwhile; then it is not the
// one of that name, and the next one is tried.
func lockFile(root *os.Root, path string) (*os.File, error) {
	for range 10 {
		f, err := root.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(ErrBusy, f.Close())
		}
		ours, err := f.Stat()
		there, err2 := root.Lstat(path)
		if err == nil && err2 == nil && os.SameFile(ours, there) && there.Mode().IsRegular() {
			return f, nil
		}
		f.Close()
	}
	return nil, ErrBusy
}

// load reads the journal and holds it against the bytes.
func (p *Part) load() {
	f, err := p.root.Open(p.path(".journal"))
	if err != nil {
		return
	}
	held, ok := readJournal(f)
	if !ok || held.header.Owner != p.owner {
		f.Close()
		return
	}
	f.Close()
	held.verify(p.file)
	// Written anew, so that what a crash tore is not in the way of what is added.
	if p.journal, err = p.writeJournal(held); err == nil {
		p.held = held
	}
}

// writeJournal puts a journal in the place of the one before.
func (p *Part) writeJournal(j journal) (*os.File, error) {
	const next = ".journal.new"
	f, err := p.root.OpenFile(p.path(next), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	text := journalLine(j.header)
	for part, sum := range j.sums {
		text = append(text, journalLine(journalPart{part, sum})...)
	}
	if _, err := f.Write(text); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := p.root.Rename(p.path(next), p.path(".journal")); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Held returns what an earlier run described and finished.
func (p *Part) Held() (description []byte, partSize int64, parts map[int64]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts = map[int64]bool{}
	for part := range p.held.sums {
		parts[part] = true
	}
	return p.held.header.Description, p.held.header.PartSize, parts
}

// Begin drops what is held and makes room for size bytes, -1 if that is not
// known. Where there is no room it returns an error with the figures.
func (p *Part) Begin(description []byte, size, partSize int64) error {
	if err := p.reset(); err != nil {
		return translate(err)
	}
	if size < 0 {
		return nil // nothing to go on from, should it break off
	}
	if free, ok := freeSpace(p.file); ok && free < size {
		return &FullError{Need: size, Free: free}
	}
	if err := allocate(p.file, size); err != nil {
		return translate(err)
	}
	held := journal{journalHeader{journalVersion, p.owner, description, size, partSize}, map[int64]uint32{}}
	f, err := p.writeJournal(held)
	if err != nil {
		return translate(err)
	}
	p.journal = f
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	return nil
}

func (p *Part) reset() error {
	p.begun = true
	if p.journal != nil {
		p.journal.Close()
		p.journal = nil
	}
	p.mu.Lock()
	p.held, p.writing = journal{}, map[int64]*partSum{}
	p.mu.Unlock()
	if err := p.root.Remove(p.path(".journal")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.file.Truncate(0)
}

// WriteAt stores bytes. Those of one part must come in order.
func (p *Part) WriteAt(b []byte, off int64) (int, error) {
	if p.journal != nil && off+int64(len(b)) > p.held.header.Size {
		return 0, fmt.Errorf("storage: %d bytes at %d of a file of %d", len(b), off, p.held.header.Size)
	}
	n, err := p.file.WriteAt(b, off)
	if err != nil {
		return n, translate(err)
	}
	if p.journal == nil {
		return n, nil
	}
	for size := p.held.header.PartSize; len(b) > 0; {
		part := off / size
		end := min((part+1)*size, p.held.header.Size)
		chunk := b[:min(int64(len(b)), end-off)]
		if err := p.account(part, chunk, off, end); err != nil {
			return n, translate(err)
		}
		b, off = b[len(chunk):], off+int64(len(chunk))
	}
	return n, nil
}

// account adds to a part's checksum, and to the journal once it is whole.
func (p *Part) account(part int64, chunk []byte, off, end int64) error {
	p.mu.Lock()
	w := p.writing[part]
	if w == nil {
		w = &partSum{next: part * p.held.header.PartSize}
		p.writing[part] = w
	}
	p.mu.Unlock()
	if w.next != off {
		return fmt.Errorf("storage: a part was written at %d before %d", off, w.next)
	}
	w.sum = crc32.Update(w.sum, castagnoli, chunk)
	w.next += int64(len(chunk))
	if w.next < end {
		return nil
	}
	writeBack(p.file, part*p.held.header.PartSize, p.held.header.PartSize)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.writing, part)
	p.held.sums[part] = w.sum
	_, err := p.journal.Write(journalLine(journalPart{part, w.sum}))
	return err
}

// ReadAt reads back what was written.
func (p *Part) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// Commit makes the file durable and gives it its name. If that is taken it
// returns [ErrExists], and what was put together is dropped.
func (p *Part) Commit() error {
	if err := p.file.Sync(); err != nil {
		return translate(err)
	}
	published, err := p.publish()
	if err != nil && !published && !errors.Is(err, fs.ErrExist) {
		return translate(err)
	}
	dropped := errors.Join(p.Close(), p.remove())
	if err != nil {
		return translate(err)
	}
	if err := p.syncParents(); err != nil {
		p.root.Remove(p.name) // it was ours a moment ago, and is not durable
		return translate(err)
	}
	return translate(dropped)
}

// publish links, because unlike a rename a link never replaces a file.
func (p *Part) publish() (published bool, err error) {
	err = p.root.Link(p.path(".part"), p.name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	// Some file systems (exFAT, many network ones) have no links. What is lost
	// there is only the guard against a file that another process makes in
	// this instant.
	p.dir.publishing.Lock()
	defer p.dir.publishing.Unlock()
	if _, err := p.root.Lstat(p.name); err == nil {
		return false, fs.ErrExist
	}
	if err := p.file.Close(); err != nil { // Windows renames no open file
		return false, err
	}
	err = p.root.Rename(p.path(".part"), p.name)
	return err == nil, err
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

// remove takes the hidden names away.
func (p *Part) remove() error {
	var errs []error
	for _, suffix := range []string{".journal", ".part"} {
		if err := p.root.Remove(p.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close lets go of the file and keeps what it holds for another run, or leaves
// nothing where it holds nothing. It may be called after Commit.
func (p *Part) Close() error {
	p.mu.Lock()
	empty := len(p.held.sums) == 0
	p.mu.Unlock()
	if info, err := p.file.Stat(); err == nil && !p.begun && info.Size() > 0 {
		empty = false // what another owner left is not ours to drop
	}
	var errs []error
	if p.journal != nil {
		errs = append(errs, p.journal.Close())
		p.journal = nil
	}
	if err := p.file.Close(); err == nil && empty {
		errs = append(errs, p.remove())
	} else if !errors.Is(err, fs.ErrClosed) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Discard drops what it holds. The part can be begun again.
func (p *Part) Discard() error { return translate(p.reset()) }

// FullError is [ErrFull] with its figures, in bytes.
type FullError struct{ Need, Free int64 }

func (e *FullError) Error() string {
	return fmt.Sprintf("%v: %d bytes are needed, %d are free", ErrFull, e.Need, e.Free)
}

func (e *FullError) Unwrap() error { return ErrFull }
