package tools

import (
	"path"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax"
)

// record is a file as the tools show it: the API's own fields, file_id as text
// because JavaScript rounds large numbers, and beside them what a reader would
// have to work out.
type record struct {
	FileID      string `json:"file_id"`
	Bytes       int64  `json:"bytes" jsonschema:"0 means unknown"`
	CreatedAt   int64  `json:"created_at" jsonschema:"Unix seconds"`
	Filename    string `json:"filename"`
	Purpose     string `json:"purpose"`
	DownloadURL string `json:"download_url,omitempty"`
	CreatedTime string `json:"created_time"`
	Size        string `json:"size"`
}

func recordOf(f minimax.File) record {
	size := "unknown"
	if f.Bytes > 0 {
		size = humanize.Bytes(uint64(f.Bytes))
	}
	return record{
		FileID:      string(f.ID),
		Bytes:       f.Bytes,
		CreatedAt:   f.CreatedAt,
		Filename:    asData(f.Filename),
		Purpose:     asData(f.Purpose),
		DownloadURL: f.DownloadURL,
		CreatedTime: time.Unix(f.CreatedAt, 0).UTC().Format(time.RFC3339),
		Size:        size,
	}
}

// asData bounds text from the API and drops from it what can't be seen: it is
// shown to a model, and must not be able to smuggle anything past a person.
func asData(s string) string { return truncate(storage.Visible(s), 255) }

// types are those of the files MiniMax takes and makes. The system's own table
// differs from one to the next, and may be missing.
var types = map[string]string{
	".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
	".avi": "video/x-msvideo", ".mkv": "video/x-matroska", ".mov": "video/quicktime", ".mp4": "video/mp4", ".webm": "video/webm",
	".heic": "image/heic", ".heif": "image/heif", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
	".json": "application/json", ".tar": "application/x-tar", ".txt": "text/plain", ".zip": "application/zip",
}

func typeByName(name string) string {
	if kind, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return kind
	}
	return "application/octet-stream"
}

// isMedia reports a name whose file can't be text.
func isMedia(name string) bool {
	kind, _, _ := strings.Cut(typeByName(name), "/")
	return kind == "audio" || kind == "video" || kind == "image"
}
