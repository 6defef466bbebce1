package storage

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// An Entry is a file that was unpacked.
type Entry struct {
	Name  string // slash-separated, relative to the directory
	Bytes int64
}

// maxEntries is how many files an archive may hold.
const maxEntries = 1000

// Unpack unpacks a tar into a directory beside it that has its name without
// the extension, or with "-unpacked" where it has none, and lists the files.
// Names are cleaned; links and devices are left out. It ends with an error at
// the file that is more than maxBytes in all, 0 for no bound, or than 1,000
// files. Files that are there already with the same bytes stay; other bytes are
// [ErrExists].
func (d *Dir) Unpack(ctx context.Context, name string, maxBytes int64) ([]Entry, error) {
	d.unpacking.Lock() // two of the same would be in each other's way
	defer d.unpacking.Unlock()
	archive, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	into := strings.TrimSuffix(name, path.Ext(name))
	if into == name {
		into += "-unpacked"
	}
	entries := []Entry{}
	reader := tar.NewReader(archive)
	for total := int64(0); ; {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("the archive can't be read: %w", err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case header.Typeflag != tar.TypeReg:
			continue
		}
		if len(entries) == maxEntries || maxBytes > 0 && header.Size > maxBytes-total {
			return nil, fmt.Errorf("the archive holds more than %d files or %d bytes", maxEntries, maxBytes)
		}
		for record := range header.PAXRecords {
			if strings.HasPrefix(record, "GNU.sparse.") { // a few bytes that claim to be any number
				return nil, errors.New("the archive holds a sparse file")
			}
		}
		total += header.Size
		entry := Entry{path.Join(into, cleanPath(header.Name)), header.Size}
		if err := d.unpackFile(ctx, entry, untilDone{ctx, reader}); err != nil {
			return nil, fmt.Errorf("unpack %q: %w", entry.Name, err)
		}
		entries = append(entries, entry)
	}
}

// cleanPath cleans each part of a path, and drops those that lead nowhere or up.
func cleanPath(name string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if part != "" && part != "." && part != ".." {
			parts = append(parts, CleanName(part, "file"))
		}
	}
	if len(parts) == 0 {
		return "file"
	}
	return strings.Join(parts[max(0, len(parts)-8):], "/")
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

func (d *Dir) unpackFile(ctx context.Context, entry Entry, from io.Reader) error {
	p, err := d.Part(ctx, entry.Name, "unpacked")
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // nothing is kept of it
	if err := p.Begin(nil, -1, 0); err != nil {
		return err
	}
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(io.NewOffsetWriter(p, 0), digest), from)
	if err != nil {
		return err
	}
	if n != entry.Bytes {
		return io.ErrUnexpectedEOF
	}
	err = p.Commit()
	if errors.Is(err, ErrExists) {
		if sum, sumErr := d.SHA256(ctx, entry.Name); sumErr == nil && sum == hex.EncodeToString(digest.Sum(nil)) {
			return nil
		}
	}
	return err
}
