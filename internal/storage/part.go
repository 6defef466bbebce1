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

	begun   bool
	removed bool // the hidden names are gone

	mu      sync.Mutex
	held    journal
	writing map[int64]*partSum // by part
	leading int64              // parts that are whole from the first one on
	settled int64              // parts of those that are on the disk
}

// partSum is the running checksum of a part that is being written.
type partSum struct {
	sum  uint32
	next int64 // where the next byte goes
}

// path is that of a hidden file beside the final one.
func (p *Part) path(suffix string) string {
	parent, base := filepath.Split(p.name)
	return parent + "." + base + suffix
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
	held := journal{
		header: journalHeader{Version: journalVersion, Owner: p.owner, Description: description, Size: size, PartSize: partSize},
		sums:   map[int64]uint32{},
	}
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
	p.held, p.writing, p.leading, p.settled = journal{}, map[int64]*partSum{}, 0, 0
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
	w.sum = crc32.Update(w.sum, castagnoli(), chunk)
	w.next += int64(len(chunk))
	if w.next < end {
		return nil
	}
	return p.complete(part, w.sum)
}

// complete enters a part that is whole in the journal, and sees to it that it
// gets to the disk.
func (p *Part) complete(part int64, sum uint32) error {
	if !p.sameFile(p.file, p.path(".part")) {
		return ErrGone // rather now than after gigabytes
	}
	size := p.held.header.PartSize
	beginWriting(p.file, part*size, size)
	p.mu.Lock()
	delete(p.writing, part)
	p.held.sums[part] = sum
	_, err := p.journal.Write(journalLine(journalPart{part, sum}))
	for _, whole := p.held.sums[p.leading]; whole; _, whole = p.held.sums[p.leading] {
		p.leading++
	}
	from := p.settled
	p.settled = max(from, p.leading-cached/size)
	n := p.settled - from
	p.mu.Unlock()
	if err != nil || n == 0 {
		return err
	}
	return settle(p.file, from*size, n*size)
}

// cached is how many bytes of a large file stay in the system's memory while it
// is written. With more, what is written last would push out what other
// programs use, the end would wait for a slow disk to take it all, and each
// byte would go to memory that the processor has not in its cache.
const cached = 32 << 20

// ReadAt reads back what was written.
func (p *Part) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// remove takes the hidden names away, once: after that they may be another's.
func (p *Part) remove() error {
	if p.removed {
		return nil
	}
	p.removed = true
	if _, err := p.root.Lstat(p.path(".part")); err == nil && !p.sameFile(p.file, p.path(".part")) {
		return nil // somebody put another there
	}
	return p.removeHidden()
}

func (p *Part) removeHidden() error {
	var errs []error
	for _, suffix := range []string{".journal.new", ".journal", ".part"} {
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
	if info, err := p.file.Stat(); err != nil || !p.begun && info.Size() > 0 {
		empty = false // it is closed; or what another owner left, which is not ours to drop
	}
	var errs []error
	if empty {
		errs = append(errs, p.remove()) // while it is locked
	}
	if p.journal != nil {
		errs = append(errs, p.journal.Close())
		p.journal = nil
	}
	if err := p.file.Close(); !errors.Is(err, fs.ErrClosed) {
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
