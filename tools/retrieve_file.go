package tools

import (
	"context"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
)

type retrieveIn struct {
	FileID minimax.ID `json:"file_id"`
}

type retrieveOut struct {
	File      record            `json:"file"`
	BaseResp  *minimax.BaseResp `json:"base_resp,omitempty"`
	ExpiresAt string            `json:"expires_at,omitempty" jsonschema:"when download_url stops working"`
	uri       string            // of the link
}

func retrieveFile(d Deps) Tool {
	return define(Tool{
		Name:  "retrieve_file",
		Title: "Retrieve a file's record",
		Description: "Look up one MiniMax file by its file_id and get its record with a temporary download URL. " +
			"The URL is public until expires_at; a new call gives a fresh one." + insteadSave(d),
		Params: []Param{fileIDParam},
		Hints:  Hints{ReadOnly: true, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in retrieveIn) (retrieveOut, error) {
		got, err := d.Files.Retrieve(ctx, in.FileID)
		if err != nil {
			return retrieveOut{}, err
		}
		if got.BaseResp != nil {
			got.BaseResp.StatusMsg = asData(got.BaseResp.StatusMsg)
		}
		uri, _ := d.Fetch.Normalize(got.File.DownloadURL) // one that can't be used is no link
		return retrieveOut{recordOf(got.File), got.BaseResp, expiry(got.File), uri}, nil
	})
}

// insteadSave points to download_file, where that saves.
func insteadSave(d Deps) string {
	if d.LinkOnly {
		return ""
	}
	return " To save the file itself, call download_file with the same file_id instead."
}

var fileIDParam = Param{
	Name: "file_id", Type: ID, Required: true,
	Description: "The file's id, as a string of digits: from list_files, or from the result of a finished generation task.",
}

// expiry is when the download URL dies, "" where it does not say.
func expiry(f minimax.File) string {
	if at, ok := f.URLExpires(); ok {
		return at.UTC().Format(time.RFC3339)
	}
	return ""
}

func (out retrieveOut) attached() []mcp.Content {
	if out.uri == "" {
		return nil
	}
	r := out.File
	return []mcp.Content{mcp.NewResourceLink(out.uri, r.Filename, "Temporary download URL of file "+r.FileID, typeByName(r.Filename))}
}
