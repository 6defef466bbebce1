package minimax_test

import (
	"slices"
	"testing"

	"minimax-files-mcp/minimax"
)

func TestCheckUpload(t *testing.T) {
	const MiB = 1 << 20
	for _, tt := range []struct {
		purpose, filename string
		size              int64
		want              string
	}{
		{"voice_clone", "me.mp3", 20 * MiB, ""},
		{"voice_clone", "ME.WAV", 1, ""},
		{"voice_clone", "me.flac", 34 * MiB, "purpose voice_clone takes mp3, m4a or wav up to 20 MB; this is a 34 MB flac file"},
		{"voice_clone", "me.mp3", 21 * MiB, "purpose voice_clone takes mp3, m4a or wav up to 20 MB; this is a 21 MB mp3 file"},
		{"voice_clone", "me.mp3", 20*MiB + 1, "purpose voice_clone takes mp3, m4a or wav up to 20 MB, which is 20971520 bytes; this file has 20971521"},
		{"voice_clone", "me", 2000, "purpose voice_clone takes mp3, m4a or wav up to 20 MB; this is a 1 kB file"},
		{"voice_clone", "me.mp3", 0, "the file is empty"},
		{"video_generation_input", "frame.heic", 30 * MiB, ""},
		{"video_generation_input", "clip.mov", 50 * MiB, ""},
		{"video_generation_input", "sound.wav", 16 * MiB, "purpose video_generation_input takes jpg, jpeg, png, webp, heic or heif up to 30 MB, mp4 or mov up to 50 MB, wav or mp3 up to 15 MB; this is a 16 MB wav file"},
		{"t2a_async_input", "book.txt", 512 * MiB, ""},
		{"t2a_async_input", "book.txt", 513 * MiB, "purpose t2a_async_input takes txt or zip up to 512 MB; this is a 513 MB txt file"},
		{"video_generation", "clip.mp4", 1, "purpose video_generation is of files that MiniMax makes, and takes no uploads"},
		{"retrieval", "a.pdf", 1, `purpose "retrieval" is not documented`},
	} {
		got := ""
		if err := minimax.CheckUpload(tt.purpose, tt.filename, tt.size); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %s of %d: %q, want %q", tt.purpose, tt.filename, tt.size, got, tt.want)
		}
	}
}

func TestPurposes_are_sorted(t *testing.T) {
	names := minimax.PurposesFor(func(minimax.Purpose) bool { return true })
	if !slices.IsSorted(names) || len(names) != len(minimax.Purposes()) {
		t.Errorf("%v", names)
	}
}
