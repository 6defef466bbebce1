package tools

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

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
