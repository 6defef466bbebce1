package tools

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
)

type downloadIn struct {
	FileID      minimax.ID       `json:"file_id"`
	TaskID      minimax.ID       `json:"task_id"`
	Kind        minimax.TaskKind `json:"kind"`
	Path        string           `json:"path"`
	Unpack      *bool            `json:"unpack"`
	WaitSeconds *int             `json:"wait_seconds"`
}

// subject is what is downloaded, in words.
func (in downloadIn) subject() string {
	if in.TaskID != "" {
		return "task " + string(in.TaskID)
	}
	return "file " + string(in.FileID)
}

// check says what is wrong with the arguments together.
func (in downloadIn) check() error {
	switch {
	case (in.FileID == "") == (in.TaskID == ""):
		return &usageError{text: `download_file: pass either file_id or task_id. Pass {"file_id": "176844028768320"} for a file, or {"task_id": "176843862716480", "kind": "video"} for what a generation task makes.`}
	case in.TaskID != "" && in.Kind == "":
		return &usageError{text: "download_file: kind is missing, and task_id needs it. " + kindParam.Description + " It is one of " + strings.Join(kindParam.Enum, ", ") + "."}
	}
	return nil
}

type downloadOut struct {
	Status         string   `json:"status" jsonschema:"done: the file is at path; in_progress: it is still coming, see next; link: nothing was saved, fetch uri"`
	FileID         string   `json:"file_id" jsonschema:"empty where a task makes a URL and no file"`
	TaskID         string   `json:"task_id,omitempty" jsonschema:"of the task that made it, if that was asked for"`
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
		"With task_id and kind instead of file_id it waits for the generation task and downloads what it makes. " +
		"Asynchronous speech is a tar, which is unpacked. An existing file is never replaced."
	fileID, taskID, kind := fileIDParam, taskIDParam, kindParam
	fileID.Required, taskID.Required, kind.Required = false, false, false
	fileID.Description += " Either this or task_id."
	params := []Param{fileID, taskID, kind, {
		Name:        "path",
		Description: "Where to save it, relative to the download directory, such as trailers/take-1.mp4, or a directory, such as trailers/. Left out, the name is the file's own with its id.",
	}, {
		Name: "unpack", Type: Bool, Default: true,
		Description: "Whether to unpack a tar, which asynchronous speech comes in, beside itself.",
	}, waitParam("How long to wait. A download that takes longer goes on: the answer is in_progress, and the same call again waits for the rest.")}
	switch {
	case d.LinkOnly && d.Remote:
		description = "Get a temporary link to one MiniMax file, to be fetched from where it is needed. " +
			"With task_id and kind instead of file_id it waits for the generation task first."
	case d.Remote:
		description = strings.Replace(description, "to the local disk", "to the disk of this server, which may not be the user's machine", 1)
	case d.LinkOnly:
		description = "Get a temporary link to one MiniMax file; this server saves nothing to disk. " +
			"With task_id and kind instead of file_id it waits for the generation task first."
	}
	if d.LinkOnly {
		params = []Param{fileID, taskID, kind, waitParam("How long to wait for the task. If it takes longer, the answer is in_progress.")}
	}
	running, tasks := newTransfers(d), newWatch(d)
	return define(Tool{
		Name:        "download_file",
		Title:       "Download a file",
		Description: description,
		Params:      params,
		Hints:       Hints{ReadOnly: d.LinkOnly, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in downloadIn) (downloadOut, error) {
		if err := in.check(); err != nil {
			return downloadOut{}, err
		}
		if in.FileID != "" {
			in.Kind = "" // it says nothing then, and must not make another download of it
		}
		do := func() (downloadOut, error) { return download(ctx, d, running, tasks, in) }
		switch guest := d.guest(ctx); {
		case guest && in.Path != "":
			return downloadOut{}, &usageError{text: "download " + in.subject() + ": files of a caller's own account are not saved on this server's disk. Leave path out, and the answer is a link."}
		case guest, d.LinkOnly:
			do = func() (downloadOut, error) { return d.link(ctx, tasks, in) }
		}
		out, err := do()
		if err != nil {
			return downloadOut{}, retitle("download "+in.subject(), err)
		}
		return out, nil
	})
}

func download(ctx context.Context, d Deps, running *transfers, tasks *watch, in downloadIn) (downloadOut, error) {
	asked, err := d.Dir.Resolve(in.Path, "\x00its own name")
	if err != nil {
		return downloadOut{}, &pathError{in.Path, d.Dir.Path(), err} // before anything is asked of the API
	}
	key := strings.Join([]string{string(in.FileID), string(in.Kind), string(in.TaskID), asked}, "\x00")
	j, ended := running.run(ctx, key, patience(in.WaitSeconds), func(ctx context.Context, j *job) (saved, error) {
		// A task may take long, and holds up no download meanwhile.
		t, err := tasks.made(ctx, in, longest, func(status string) { j.note.Store(&status) })
		if err != nil {
			return saved{}, err
		}
		if err := running.turn(ctx, j); err != nil {
			return saved{}, err
		}
		j.note.Store(nil)
		it, err := d.find(ctx, in, t)
		if err != nil {
			return saved{}, err
		}
		return d.save(ctx, it, in.Path, running, j)
	})
	switch {
	case !ended:
		out := inProgress(in)
		out.BytesDone, out.BytesTotal = j.done.Load(), max(0, j.total.Load())
		return out, nil
	case j.err != nil:
		return downloadOut{}, j.err
	case j.kept && !j.saved.stands():
		return download(ctx, d, running, tasks, in) // it was removed meanwhile
	}
	out := j.saved.out
	out.TaskID = string(in.TaskID)
	out.Entries, err = d.unpack(ctx, in, j.saved)
	return out, err
}

func inProgress(in downloadIn) downloadOut {
	return downloadOut{
		Status: "in_progress", FileID: string(in.FileID), TaskID: string(in.TaskID), Size: "unknown", VerifiedBy: []string{},
		Next: "call download_file again with the same arguments",
	}
}

// made waits for the task, if it is one that is asked for.
func (w *watch) made(ctx context.Context, in downloadIn, most time.Duration, tell func(string)) (*minimax.Task, error) {
	if in.TaskID == "" {
		return nil, nil
	}
	t, err := w.wait(ctx, in.Kind, in.TaskID, most, tell)
	if err == nil && !t.Done && most == longest {
		err = &usageError{code: "task_slow", text: fmt.Sprintf("download %s: it has been %s for %s. Nothing was saved. Call wait_for_task to see whether it moves.", in.subject(), asData(t.Status), longest)}
	}
	return t, err
}

// find looks up what is asked for: a file, or what a task has made.
func (d Deps) find(ctx context.Context, in downloadIn, t *minimax.Task) (item, error) {
	if t != nil {
		return d.itemMadeBy(ctx, t)
	}
	got, err := d.Files.Retrieve(ctx, in.FileID)
	if err != nil {
		return item{}, err
	}
	return d.itemOf(got.File), nil
}

// link is what download_file does where nothing is saved.
func (d Deps) link(ctx context.Context, tasks *watch, in downloadIn) (downloadOut, error) {
	t, err := tasks.made(ctx, in, patience(in.WaitSeconds), progressOf(ctx).words)
	if err != nil {
		return downloadOut{}, err
	}
	if t != nil && !t.Done {
		return inProgress(in), nil
	}
	it, err := d.find(ctx, in, t)
	if err != nil {
		return downloadOut{}, err
	}
	out, err := d.linkTo(it.file)
	out.TaskID = string(in.TaskID)
	return out, err
}

// linkTo is the answer of a server that saves nothing.
func (d Deps) linkTo(f minimax.File) (downloadOut, error) {
	r := recordOf(f)
	if f.DownloadURL == "" {
		return downloadOut{}, &usageError{code: "no_url", text: fmt.Sprintf("download_file: MiniMax gives no download URL for a file of purpose %q, and this server answers with links only. "+
			"read_file shows it if it is small; the server's operator can set MINIMAX_API_RESOURCE_MODE=local to have files saved.", r.Purpose)}
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

func (out downloadOut) attached() []mcp.Content {
	if out.URI == "" {
		return nil
	}
	description := "File " + out.FileID
	if out.FileID == "" {
		description = "Made by task " + out.TaskID
	}
	link := mcp.NewResourceLink(out.URI, out.Filename, description, out.MIMEType)
	if out.Status == "done" {
		link.Name = filepath.Base(out.Path)
		link.Size = &out.Bytes
	}
	return []mcp.Content{link}
}
