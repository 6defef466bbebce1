package minimax

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Purpose is what a file is for, with what the API documents of it: which
// operations take it, and which files. The legal set differs per operation.
type Purpose struct {
	Name                 string
	Upload, List, Delete bool
	Takes                []Format // of an upload
	Deleted              string   // when the API deletes it by itself, "" where nothing is stated
}

// A Format is a group of file types with a limit of their own.
type Format struct {
	Extensions []string // lower case, without the dot
	MaxBytes   int64    // 0 where none is stated
}

// MaxUploadBytes is the ceiling that old documentation states for every file,
// and that today's no longer names [DOC old].
const MaxUploadBytes = 512 << 20

// purposes are those of the documentation of 2026 [DOC], sorted.
var purposes = []Purpose{
	{Name: "prompt_audio", Upload: true, List: true, Delete: true, Takes: []Format{{[]string{"mp3", "m4a", "wav"}, 20 << 20}}},
	// The text of list names it, its enum does not.
	{Name: "t2a_async", List: true, Delete: true, Deleted: "9 hours after its URL was given out"},
	{Name: "t2a_async_input", Upload: true, List: true, Delete: true, Takes: []Format{{[]string{"txt", "zip"}, 0}}},
	{Name: "video_generation", Delete: true},
	{Name: "video_generation_input", Upload: true, List: true, Deleted: "after 7 days", Takes: []Format{
		{[]string{"jpg", "jpeg", "png", "webp", "heic", "heif"}, 30 << 20}, {[]string{"mp4", "mov"}, 50 << 20}, {[]string{"wav", "mp3"}, 15 << 20},
	}},
	{Name: "video_understanding", Upload: true, Deleted: "after 7 days", Takes: []Format{{[]string{"mp4", "avi", "mov", "mkv"}, 0}}},
	{Name: "voice_clone", Upload: true, List: true, Delete: true, Takes: []Format{{[]string{"mp3", "m4a", "wav"}, 20 << 20}}},
}

// Purposes are all that are documented, sorted by name.
func Purposes() []Purpose { return slices.Clone(purposes) }

// PurposeNamed finds one.
func PurposeNamed(name string) (Purpose, bool) {
	i := slices.IndexFunc(purposes, func(p Purpose) bool { return p.Name == name })
	if i < 0 {
		return Purpose{}, false
	}
	return purposes[i], true
}

// PurposesFor are the names of those that an operation takes.
func PurposesFor(operation func(Purpose) bool) (names []string) {
	for _, p := range purposes {
		if operation(p) {
			names = append(names, p.Name)
		}
	}
	return names
}

// ListablePurposes are those the API is documented to list, sorted. Generated
// videos can't be listed.
func ListablePurposes() []string { return PurposesFor(func(p Purpose) bool { return p.List }) }

// CheckUpload holds a file of size bytes against what is documented, before a
// byte travels, and says in words what does not fit.
func CheckUpload(purpose, filename string, size int64) error {
	known, ok := PurposeNamed(purpose)
	switch {
	case !ok:
		return fmt.Errorf("purpose %q is not documented", purpose)
	case !known.Upload:
		return fmt.Errorf("purpose %s is of files that MiniMax makes, and takes no uploads", purpose)
	case size == 0:
		return fmt.Errorf("the file is empty")
	}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(filename), "."))
	most := int64(MaxUploadBytes)
	fits := false
	for _, f := range known.Takes {
		if slices.Contains(f.Extensions, ext) {
			fits = true
			if f.MaxBytes > 0 {
				most = f.MaxBytes
			}
		}
	}
	if fits && size > most && sizeOf(size) == sizeOf(most) {
		return fmt.Errorf("purpose %s takes %s, which is %d bytes; this file has %d", purpose, known.takes(), most, size)
	}
	if !fits || size > most {
		return fmt.Errorf("purpose %s takes %s; this is a %s %s", purpose, known.takes(), sizeOf(size), strings.TrimSpace(ext+" file"))
	}
	return nil
}

// takes is what it takes, in words: "mp3, m4a or wav up to 20 MB".
func (p Purpose) takes() string {
	var groups []string
	for _, f := range p.Takes {
		last := len(f.Extensions) - 1
		words := f.Extensions[last]
		if last > 0 {
			words = strings.Join(f.Extensions[:last], ", ") + " or " + words
		}
		most := f.MaxBytes
		if most == 0 {
			most = MaxUploadBytes
		}
		groups = append(groups, fmt.Sprintf("%s up to %s", words, sizeOf(most)))
	}
	return strings.Join(groups, ", ")
}

// sizeOf is a size as the documentation writes limits: it says MB, and whether
// those are 1,000,000 or 1,048,576 bytes it does not say; the larger are
// allowed.
func sizeOf(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", (n+1<<19)>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d byte", n)
}
