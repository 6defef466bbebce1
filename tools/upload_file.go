package tools

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax"
)

type uploadIn struct {
	Path      string `json:"path"`
	Purpose   string `json:"purpose"`
	Filename  string `json:"filename"`
	Content   []byte `json:"content"`
	Unchecked bool   `json:"unchecked"`
}

type uploadOut struct {
	File   record `json:"file"`
	SHA256 string `json:"sha256,omitempty" jsonschema:"of what was sent"`
	URI    string `json:"uri,omitempty" jsonschema:"how other MiniMax calls refer to the file, for purposes that are used so"`
}

func uploadFile(d Deps) Tool {
	purposes := minimax.PurposesFor(func(p minimax.Purpose) bool { return p.Upload })
	path := Param{
		Name: "path", Required: true, Example: "voice.mp3",
		Description: "The file, relative to the upload directory, or absolute within it.",
	}
	content := Param{
		Name: "content", Type: Base64, Required: d.Uploads == nil, Example: "SGVsbG8=",
		Description: "The file itself, in base64.",
	}
	if d.MaxContent > 0 {
		content.Description = fmt.Sprintf("The file itself, in base64: at most %s of it before that.", humanize.Bytes(uint64(d.MaxContent)))
	}
	filename := Param{Name: "filename", Required: d.Uploads == nil, Example: "voice.mp3", Description: "The name to store it under."}
	source, description := []Param{path}, "Upload a local file"
	switch {
	case d.Uploads == nil:
		source, description = []Param{content}, "Upload a file, given as base64,"
	case d.Remote:
		path.Required = false
		path.Description = "The file on this server's disk, relative to the upload directory, or absolute within it. Either this or content."
		content.Description += " Either this or path; with this, filename is needed."
		source, description = []Param{path, content}, "Upload a file from this server's disk, or given as base64,"
	default:
		filename.Description += " Left out, its own."
	}
	return define(Tool{
		Name:  "upload_file",
		Title: "Upload a file",
		Description: description + " to MiniMax for a purpose and get its record with the file_id. " +
			"Extension and size are checked first. It is never sent twice by itself.",
		Params: append(source, Param{
			Name: "purpose", Required: true, Example: "voice_clone",
			Description: "What it is for: " + strings.Join(purposes, ", ") + ".",
		}, filename, Param{
			Name: "unchecked", Type: Bool, Default: false,
			Description: "Whether to send it even if the documented rules of the purpose do not allow it, or no such purpose is known.",
		}),
		Hints: Hints{OpenWorld: true},
	}, func(ctx context.Context, in uploadIn) (uploadOut, error) {
		out, err := upload(ctx, d, in)
		if _, titled := errors.AsType[*uploadError](err); err != nil && !titled {
			err = fmt.Errorf("upload %q: %w", truncate(storage.Visible(cmp.Or(in.Path, in.Filename)), 200), err)
		}
		return out, err
	})
}

func upload(ctx context.Context, d Deps, in uploadIn) (uploadOut, error) {
	file, size, name, err := d.uploaded(ctx, in)
	if err != nil {
		return uploadOut{}, err
	}
	defer file.Close()
	filename := cmp.Or(in.Filename, name)
	if err := minimax.CheckUpload(in.Purpose, filename, size); err != nil && !in.Unchecked {
		return uploadOut{}, &ruleError{err}
	}
	body := newSending(progressOf(ctx), file, size)
	got, err := d.Files.Upload(ctx, minimax.Upload{Purpose: in.Purpose, Filename: filename, Size: size, Content: body})
	if err != nil {
		return uploadOut{}, &uploadError{err, body.begun(), in.Purpose, filename}
	}
	out := uploadOut{File: recordOf(got.File), SHA256: body.sum()}
	if in.Purpose == "video_understanding" || in.Purpose == "video_generation_input" { // [DOC]
		out.URI = "mm_file://" + out.File.FileID
	}
	return out, nil
}

// uploaded is the file that a call means: one on the disk, or its own content.
func (d Deps) uploaded(ctx context.Context, in uploadIn) (file io.ReadCloser, size int64, name string, err error) {
	switch {
	case d.Uploads != nil && !d.Remote: // always a path
	case (in.Path == "") == (in.Content == nil):
		return nil, 0, "", &usageError{text: "upload_file: path and content are two ways to give the file, and one of them is wanted. Pass either path, for a file on this server's disk, or content, for one that is not."}
	case in.Content != nil && in.Filename == "":
		return nil, 0, "", &usageError{text: "upload_file: filename is missing, and content needs it. " + "Pass the name to store it under, such as voice.mp3."}
	case in.Content != nil:
		return io.NopCloser(bytes.NewReader(in.Content)), int64(len(in.Content)), in.Filename, nil
	case d.guest(ctx):
		return nil, 0, "", &usageError{text: "upload_file: what is on this server's disk is not uploaded to a caller's own account. Pass content, the file in base64, instead of path."}
	}
	const directory = "\x00" // what a path that is one gets as its last element
	at, err := d.Uploads.Resolve(in.Path, directory)
	if strings.HasSuffix(at, directory) {
		err = storage.ErrNotAFile
	}
	if err != nil {
		return nil, 0, "", &sourceError{d.Uploads.Path(), err}
	}
	opened, size, err := d.Uploads.Source(at)
	if err != nil {
		return nil, 0, "", &sourceError{d.Uploads.Path(), err}
	}
	return opened, size, path.Base(at), nil
}

// sourceError is a file that can't be uploaded, and where files must be.
type sourceError struct {
	dir string
	err error
}

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func (e *sourceError) next() string {
	var name *storage.NameError
	switch {
	case errors.As(e, &name):
		return fmt.Sprintf("Nothing was sent. Neither hidden files are uploaded, nor such with names that are a trap on some system: the user can rename it, such as to %q.", name.Suggest)
	case errors.Is(e, storage.ErrOutside), errors.Is(e, storage.ErrNotAPath):
		return fmt.Sprintf("Nothing was sent. Files are uploaded from %s only, and not through links out of it: the user can put the file there, or set MINIMAX_MCP_UPLOAD_PATH.", e.dir)
	case errors.Is(e, fs.ErrNotExist):
		return fmt.Sprintf("Nothing was sent. Pass the path of a file in %s.", e.dir)
	}
	return fmt.Sprintf("Nothing was sent. Pass the path of a readable file in %s.", e.dir)
}

// ruleError is a file that does not fit what is documented of its purpose.
type ruleError struct{ error }

func (e *ruleError) Unwrap() error { return e.error }

func (*ruleError) next() string {
	return "Nothing was sent. Convert the file, or pass another purpose (" +
		strings.Join(minimax.PurposesFor(func(p minimax.Purpose) bool { return p.Upload }), ", ") +
		"), or unchecked true to send it all the same."
}

// uploadError is an upload that failed, at a point that matters: once bytes
// have left, it may have arrived although nobody said so.
type uploadError struct {
	error
	begun             bool
	purpose, filename string
}

func (e *uploadError) Unwrap() error { return e.error }

func (e *uploadError) next() string {
	var api *minimax.Error
	switch {
	case !errors.As(e, &api) && !errors.Is(e, context.Canceled), api != nil && api.Refused():
		return "Nothing was stored. " + next(e.error)
	case !e.begun:
		return "Nothing was sent. " + next(e.error)
	case slices.Contains(minimax.ListablePurposes(), e.purpose):
		return fmt.Sprintf("It may have arrived all the same. Before uploading it again, call list_files with purpose %q and name_contains %q to see.", e.purpose, e.filename)
	}
	return fmt.Sprintf("It may have arrived all the same, and files of purpose %s can't be listed. Uploading it again is safe, but may leave a second copy.", truncate(e.purpose, 60))
}
