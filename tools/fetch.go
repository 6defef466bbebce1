package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

// saved is a file that was put where it belongs.
type saved struct {
	name string // in the directory
	out  downloadOut
}

// stands reports that it is there still.
func (s saved) stands() bool {
	info, err := os.Stat(s.out.Path)
	return err == nil && info.Size() == s.out.Bytes
}

// An item is what a download is to fetch.
type item struct {
	file  minimax.File // without an id where a task has a URL only
	name  string       // where it goes, unless the caller knows better
	owner string       // what an unfinished file is a copy of
	again func(context.Context) (url string, err error)
}

// itemOf is a file of the account.
func (d Deps) itemOf(f minimax.File) item {
	return item{f, defaultName(f), string(f.ID), func(ctx context.Context) (string, error) {
		got, err := d.Files.Retrieve(ctx, f.ID)
		if err != nil {
			return "", err
		}
		return got.File.DownloadURL, nil
	}}
}

// itemMadeBy is what a task has made. Some kinds make no file of the account,
// but a URL of a video; a new one is had by asking again.
func (d Deps) itemMadeBy(ctx context.Context, t *minimax.Task) (item, error) {
	if t.FileID != "" {
		got, err := d.Files.Retrieve(ctx, t.FileID)
		if err != nil {
			return item{}, err
		}
		return d.itemOf(got.File), nil
	}
	f := minimax.File{Filename: "video.mp4", DownloadURL: t.URL}
	return item{f, fmt.Sprintf("video-%s.mp4", t.ID), fmt.Sprintf("%s task %s", t.Kind, t.ID), func(ctx context.Context) (string, error) {
		now, err := d.Files.Task(ctx, t.Kind, t.ID)
		if err != nil {
			return "", err
		}
		return now.URL, nil
	}}, nil
}

// save fetches an item and puts it where it belongs.
func (d Deps) save(ctx context.Context, it item, asked string, running *transfers, j *job) (saved, error) {
	name, err := d.Dir.Resolve(asked, it.name)
	if err != nil {
		return saved{}, &pathError{asked, d.Dir.Path(), err}
	}
	if got, ok, err := running.claim(ctx, it.owner+"\x00"+name, j); ok || err != nil {
		return got, err
	}
	result, present, err := d.fetch(ctx, it, name, j)
	if err != nil {
		return saved{}, &pathError{name, d.Dir.Path(), err}
	}
	path := d.Dir.Join(name)
	return saved{name, downloadOut{
		Status:         "done",
		FileID:         string(it.file.ID),
		Filename:       asData(it.file.Filename),
		Path:           path,
		URI:            fileURI(path),
		Bytes:          result.Bytes,
		Size:           humanize.Bytes(uint64(result.Bytes)),
		SHA256:         result.SHA256,
		MIMEType:       result.MIMEType,
		VerifiedBy:     result.VerifiedBy,
		AlreadyPresent: present,
	}}, nil
}

// unpack unpacks a tar beside itself, unless this call does not want it.
func (d Deps) unpack(ctx context.Context, in downloadIn, s saved) ([]entry, error) {
	if s.out.MIMEType != "application/x-tar" || in.Unpack != nil && !*in.Unpack {
		return nil, nil
	}
	unpacked, err := d.Dir.Unpack(ctx, s.name, d.MaxBytes)
	if err != nil {
		return nil, &usageError{code: "not_unpacked", text: fmt.Sprintf("download %s: it is saved to %s, but not unpacked: %v. Call again with unpack false, or with another path.", in.subject(), s.out.Path, err)}
	}
	entries := make([]entry, len(unpacked))
	for i, e := range unpacked {
		f, err := d.Dir.Open(e.Name)
		if err != nil {
			return nil, err
		}
		entries[i] = entry{d.Dir.Join(e.Name), e.Bytes, transfer.TypeOf(f)}
		f.Close()
	}
	return entries, nil
}

// fetch runs the transfer, and reports whether the same bytes were there
// before.
func (d Deps) fetch(ctx context.Context, it item, name string, j *job) (result transfer.Result, present bool, err error) {
	part, err := d.Dir.Part(ctx, name, it.owner)
	if err != nil {
		return result, false, err
	}
	defer part.Close() //nolint:errcheck // what it keeps is verified when it is used
	var there *os.File
	defer func() {
		if there != nil {
			there.Close()
		}
	}()
	result, err = transfer.Run(ctx, d.source(it), part, transfer.Options{
		Size: it.file.Bytes, MaxBytes: d.MaxBytes, Media: isMedia(it.file.Filename),
		Connections: d.Connections, IdleTimeout: d.IdleTimeout, Backoff: d.Backoff,
		Accept: func(size int64) (io.ReaderAt, error) {
			has, exists, err := d.Dir.Size(name)
			switch {
			case err != nil || !exists:
				return nil, err
			case size >= 0 && has != size:
				return nil, storage.ErrExists // no need to fetch it to know
			}
			if there != nil {
				there.Close() // of an attempt before
			}
			there, err = d.Dir.Open(name)
			return there, err
		},
		Progress: func(done, total int64) {
			j.done.Store(done)
			j.total.Store(total)
		},
		Retried: d.retried(),
	})
	if errors.Is(err, storage.ErrExists) && result.SHA256 != "" {
		// The name was taken when the verified bytes were to get it. If they
		// are the same, that is no failure.
		if sum, sumErr := d.Dir.SHA256(ctx, name); sumErr == nil && sum == result.SHA256 {
			return result, true, nil
		}
	}
	return result, result.Present, err
}

// defaultName carries the id, because MiniMax calls every video output_aigc.mp4.
func defaultName(f minimax.File) string {
	id := string(f.ID)
	name := storage.CleanName(f.Filename, "file")
	if stem, _, _ := strings.Cut(name, "."); stem == id { // as speech results are called
		return name
	}
	return storage.AddSuffix(name, "-"+id)
}

// source is where an item's bytes come from: its download URL, or, for uploads
// without one, the API itself.
func (d Deps) source(it item) transfer.Source {
	if it.file.DownloadURL == "" {
		return contentSource{d, it.file.ID}
	}
	var mu sync.Mutex
	known, since := it.file.DownloadURL, time.Time{}
	return transfer.URL{Client: d.Fetch, Locate: func(ctx context.Context, fresh bool) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		// When a URL dies, all connections ask at once; one new URL serves them.
		if !fresh || time.Since(since) < 2*time.Second {
			return known, nil
		}
		next, err := it.again(ctx)
		if err != nil {
			return "", err
		}
		known, since = next, time.Now()
		return known, nil
	}}
}

// contentSource reads through the API's own endpoint, which has no ranges.
type contentSource struct {
	Deps
	id minimax.ID
}

func (s contentSource) Open(ctx context.Context, req transfer.Request) (*transfer.Object, error) {
	content, err := s.Files.Content(ctx, s.id)
	if err != nil {
		return nil, err
	}
	if content.Location != "" {
		locate := func(context.Context, bool) (string, error) { return content.Location, nil }
		return transfer.URL{Client: s.Fetch, Locate: locate}.Open(ctx, req)
	}
	return &transfer.Object{Body: content.Body, Size: content.Size, Header: content.Header, Host: content.Host}, nil
}

func fileURI(saved string) string {
	slashed := filepath.ToSlash(saved)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String()
}
