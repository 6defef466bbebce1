package tools

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

type downloadIn struct {
	FileID minimax.ID `json:"file_id"`
	Path   string     `json:"path"`
}

type downloadOut struct {
	Status         string   `json:"status" jsonschema:"done: the file is at path; link: nothing was saved, fetch uri"`
	FileID         string   `json:"file_id"`
	Filename       string   `json:"filename"`
	Path           string   `json:"path,omitempty" jsonschema:"absolute"`
	URI            string   `json:"uri"`
	Bytes          int64    `json:"bytes" jsonschema:"0 means unknown"`
	Size           string   `json:"size"`
	SHA256         string   `json:"sha256,omitempty"`
	MIMEType       string   `json:"mime_type" jsonschema:"by the content when done, by the name when not"`
	VerifiedBy     []string `json:"verified_by" jsonschema:"what the bytes were checked against: length, crc64, md5; empty if the host gave nothing to check by"`
	AlreadyPresent bool     `json:"already_present,omitempty" jsonschema:"the same bytes were at path before"`
	ExpiresAt      string   `json:"expires_at,omitempty" jsonschema:"of a link"`
}

func downloadFile(d Deps) Tool {
	description := "Download one MiniMax file to the local disk, verify it, and get its absolute path. " +
		"Works for generated videos, asynchronous speech (a tar) and uploads. An existing file is never replaced."
	params := []Param{fileIDParam, {
		Name:        "path",
		Description: "Where to save it, relative to the download directory, such as trailers/take-1.mp4, or a directory, such as trailers/. Left out, the name is the file's own with its id.",
	}}
	if d.LinkOnly {
		description = "Get a temporary link to one MiniMax file; this server saves nothing to disk."
		params = params[:1]
	}
	return define(Tool{
		Name:        "download_file",
		Title:       "Download a file",
		Description: description,
		Params:      params,
		Hints:       Hints{Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in downloadIn) (downloadOut, error) {
		out, err := download(ctx, d, in)
		if err != nil {
			return downloadOut{}, retitle("download file "+string(in.FileID), err)
		}
		return out, nil
	})
}

func download(ctx context.Context, d Deps, in downloadIn) (downloadOut, error) {
	if _, err := d.Dir.Resolve(in.Path, "file"); err != nil && !d.LinkOnly {
		return downloadOut{}, &pathError{in.Path, d.Dir.Path(), err} // before anything is asked of the API
	}
	got, err := d.Files.Retrieve(ctx, in.FileID)
	if err != nil {
		return downloadOut{}, err
	}
	if d.LinkOnly {
		return d.linkTo(got.File)
	}
	name, err := d.Dir.Resolve(in.Path, defaultName(got.File))
	if err != nil {
		return downloadOut{}, &pathError{in.Path, d.Dir.Path(), err}
	}
	present := false
	result, err := transfer.Run(ctx, d.source(got.File), func(obj *transfer.Object) (transfer.Sink, error) {
		size, exists, err := d.Dir.Size(name)
		if err == nil && exists && obj.Size >= 0 && size != obj.Size {
			err = storage.ErrExists // no need to fetch it to know
		}
		if err != nil {
			return nil, err
		}
		return d.Dir.Create(name)
	}, transfer.Options{Size: got.File.Bytes, MaxBytes: d.MaxBytes, IdleTimeout: d.IdleTimeout, Media: isMedia(got.File.Filename), Progress: progressOf(ctx).bytes})
	if errors.Is(err, storage.ErrExists) && result.SHA256 != "" {
		// The name was taken when the verified bytes were to get it. If they
		// are the same, that is no failure.
		if sum, sumErr := d.Dir.SHA256(ctx, name); sumErr == nil && sum == result.SHA256 {
			present, err = true, nil
		}
	}
	if err != nil {
		return downloadOut{}, &pathError{name, d.Dir.Path(), err}
	}
	saved := d.Dir.Join(name)
	return downloadOut{
		Status:         "done",
		FileID:         string(got.File.ID),
		Filename:       asData(got.File.Filename),
		Path:           saved,
		URI:            fileURI(saved),
		Bytes:          result.Bytes,
		Size:           humanize.Bytes(uint64(result.Bytes)),
		SHA256:         result.SHA256,
		MIMEType:       result.MIMEType,
		VerifiedBy:     result.VerifiedBy,
		AlreadyPresent: present,
	}, nil
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
	if strings.Contains(name, id) {
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
	return transfer.URL{Client: d.Fetch, Locate: func(context.Context) (string, error) { return f.DownloadURL, nil }}
}

// contentSource reads through the API's own endpoint.
type contentSource struct {
	Deps
	id minimax.ID
}

func (s contentSource) Open(ctx context.Context) (*transfer.Object, error) {
	content, err := s.Files.Content(ctx, s.id)
	if err != nil {
		return nil, err
	}
	if content.Location != "" {
		locate := func(context.Context) (string, error) { return content.Location, nil }
		return transfer.URL{Client: s.Fetch, Locate: locate}.Open(ctx)
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
	link := mcp.NewResourceLink(out.URI, out.Filename, "File "+out.FileID, out.MIMEType)
	if out.Status == "done" {
		link.Name = filepath.Base(out.Path)
		link.Size = &out.Bytes
	}
	return link, true
}
