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
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

type downloadIn struct {
	FileID      minimax.ID `json:"file_id"`
	Path        string     `json:"path"`
	Unpack      *bool      `json:"unpack"`
	WaitSeconds *int       `json:"wait_seconds"`
}

type downloadOut struct {
	Status         string   `json:"status" jsonschema:"done: the file is at path; in_progress: it is still coming, see next; link: nothing was saved, fetch uri"`
	FileID         string   `json:"file_id"`
	Filename       string   `json:"filename"`
	Path           string   `json:"path,omitempty" jsonschema:"absolute"`
	URI            string   `json:"uri,omitempty"`
	Bytes          int64    `json:"bytes" jsonschema:"0 means unknown"`
	Size           string   `json:"size"`
	SHA256         string   `json:"sha256,omitempty"`
	MIMEType       string   `json:"mime_type,omitempty" jsonschema:"by the content when done, by the name when not"`
	VerifiedBy     []string `json:"verified_by" jsonschema:"what the bytes were checked against: length, crc64, md5; empty if the host gave nothing to check by"`
	Entries        []entry  `json:"entries,omitempty" jsonschema:"what an archive held, unpacked beside it"`
	AlreadyPresent bool     `json:"already_present,omitempty" jsonschema:"the same bytes were at path before"`
	ExpiresAt      string   `json:"expires_at,omitempty" jsonschema:"of a link"`
	BytesDone      int64    `json:"bytes_done,omitempty" jsonschema:"while in_progress"`
	BytesTotal     int64    `json:"bytes_total,omitempty" jsonschema:"while in_progress; left out if not known"`
	Next           string   `json:"next,omitempty" jsonschema:"what to do next, while in_progress"`
}

type entry struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	MIMEType string `json:"mime_type"`
}

func downloadFile(d Deps) Tool {
	description := "Download one MiniMax file to the local disk, verify it, and get its absolute path. " +
		"Works for generated videos, asynchronous speech (a tar, which is unpacked) and uploads. An existing file is never replaced."
	params := []Param{fileIDParam, {
		Name:        "path",
		Description: "Where to save it, relative to the download directory, such as trailers/take-1.mp4, or a directory, such as trailers/. Left out, the name is the file's own with its id.",
	}}
	params = append(params, Param{
		Name: "unpack", Type: Bool, Default: true,
		Description: "Whether to unpack a tar, which asynchronous speech comes in, beside itself.",
	}, Param{
		Name: "wait_seconds", Type: Integer, Min: 0, Max: maxWait, Default: defaultWait,
		Description: "How long to wait. A download that takes longer goes on: the answer is in_progress, and the same call again waits for the rest.",
	})
	running := newTransfers(d.Log)
	if d.LinkOnly {
		description = "Get a temporary link to one MiniMax file; this server saves nothing to disk."
		params = params[:1]
	}
	return define(Tool{
		Name:        "download_file",
		Title:       "Download a file",
		Description: description,
		Params:      params,
		Hints:       Hints{ReadOnly: d.LinkOnly, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in downloadIn) (downloadOut, error) {
		out, err := download(ctx, d, running, in)
		if err != nil {
			return downloadOut{}, retitle("download file "+string(in.FileID), err)
		}
		return out, nil
	})
}

// The bounds of wait_seconds. Clients give up after about 60 seconds.
const (
	defaultWait = 45
	maxWait     = 600
)

func download(ctx context.Context, d Deps, running *transfers, in downloadIn) (downloadOut, error) {
	if d.LinkOnly {
		got, err := d.Files.Retrieve(ctx, in.FileID)
		if err != nil {
			return downloadOut{}, err
		}
		return d.linkTo(got.File)
	}
	asked, err := d.Dir.Resolve(in.Path, "\x00its own name")
	if err != nil {
		return downloadOut{}, &pathError{in.Path, d.Dir.Path(), err} // before anything is asked of the API
	}
	wait := defaultWait
	if in.WaitSeconds != nil {
		wait = *in.WaitSeconds
	}
	key := string(in.FileID) + "\x00" + asked
	j, ended := running.run(ctx, key, time.Duration(wait)*time.Second, func(ctx context.Context, j *job) (saved, error) {
		return save(ctx, d, in, j)
	})
	switch {
	case !ended:
		return downloadOut{
			Status:     "in_progress",
			FileID:     string(in.FileID),
			BytesDone:  j.done.Load(),
			BytesTotal: max(0, j.total.Load()),
			Size:       "unknown",
			VerifiedBy: []string{},
			Next:       "call download_file again with the same arguments",
		}, nil
	case j.err != nil:
		return downloadOut{}, j.err
	case j.kept && !j.saved.stands():
		return download(ctx, d, running, in) // it was removed meanwhile
	}
	out := j.saved.out
	out.Entries, err = d.unpack(ctx, in, j.saved)
	return out, err
}

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

// save fetches a file and puts it where it belongs.
func save(ctx context.Context, d Deps, in downloadIn, j *job) (saved, error) {
	got, err := d.Files.Retrieve(ctx, in.FileID)
	if err != nil {
		return saved{}, err
	}
	name, err := d.Dir.Resolve(in.Path, defaultName(got.File))
	if err != nil {
		return saved{}, &pathError{in.Path, d.Dir.Path(), err}
	}
	result, present, err := d.fetch(ctx, got.File, name, j)
	if err != nil {
		return saved{}, &pathError{name, d.Dir.Path(), err}
	}
	path := d.Dir.Join(name)
	return saved{name, downloadOut{
		Status:         "done",
		FileID:         string(got.File.ID),
		Filename:       asData(got.File.Filename),
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
		return nil, &usageError{fmt.Sprintf("download file %s: it is saved to %s, but not unpacked: %v. Call again with unpack false, or with another path.", in.FileID, s.out.Path, err)}
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
func (d Deps) fetch(ctx context.Context, f minimax.File, name string, j *job) (result transfer.Result, present bool, err error) {
	part, err := d.Dir.Part(name, string(f.ID))
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
	result, err = transfer.Run(ctx, d.source(f), part, transfer.Options{
		Size: f.Bytes, MaxBytes: d.MaxBytes, Media: isMedia(f.Filename),
		Connections: d.Connections, IdleTimeout: d.IdleTimeout, Backoff: d.Backoff,
		Accept: func(size int64) (io.ReaderAt, error) {
			has, exists, err := d.Dir.Size(name)
			switch {
			case err != nil || !exists:
				return nil, err
			case size >= 0 && has != size:
				return nil, storage.ErrExists // no need to fetch it to know
			}
			there, err = d.Dir.Open(name)
			return there, err
		},
		Progress: func(done, total int64) {
			j.done.Store(done)
			j.total.Store(total)
		},
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

// linkTo is the answer of a server that saves nothing.
func (d Deps) linkTo(f minimax.File) (downloadOut, error) {
	r := recordOf(f)
	if f.DownloadURL == "" {
		return downloadOut{}, &usageError{fmt.Sprintf("download_file: MiniMax gives no download URL for a file of purpose %q, and this server answers with links only. "+
			"Set MINIMAX_API_RESOURCE_MODE=local to save it to disk.", r.Purpose)}
	}
	uri, err := d.Fetch.Normalize(f.DownloadURL)
	if err != nil {
		return downloadOut{}, err
	}
	return downloadOut{
		Status: "link", FileID: r.FileID, Filename: r.Filename, URI: uri,
		Bytes: r.Bytes, Size: r.Size, MIMEType: typeByName(r.Filename), VerifiedBy: []string{}, ExpiresAt: expiry(f),
	}, nil
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

// source is where a file's bytes come from: its download URL, or, for uploads
// without one, the API itself.
func (d Deps) source(f minimax.File) transfer.Source {
	if f.DownloadURL == "" {
		return contentSource{d, f.ID}
	}
	var mu sync.Mutex
	known, since := f.DownloadURL, time.Time{}
	return transfer.URL{Client: d.Fetch, Locate: func(ctx context.Context, fresh bool) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		// When a URL dies, all connections ask at once; one new URL serves them.
		if !fresh || time.Since(since) < 2*time.Second {
			return known, nil
		}
		got, err := d.Files.Retrieve(ctx, f.ID)
		if err != nil {
			return "", err
		}
		known, since = got.File.DownloadURL, time.Now()
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

func (out downloadOut) link() (mcp.ResourceLink, bool) {
	if out.URI == "" {
		return mcp.ResourceLink{}, false
	}
	link := mcp.NewResourceLink(out.URI, out.Filename, "File "+out.FileID, out.MIMEType)
	if out.Status == "done" {
		link.Name = filepath.Base(out.Path)
		link.Size = &out.Bytes
	}
	return link, true
}
