package sandbox

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"sync"
	"time"
)

// Two media files that really play, made for this package.
var (
	//go:embed media/output_aigc.mp4
	video []byte
	//go:embed media/speech.mp3
	audio []byte
)

// The ids of the seed files, for demonstrations and tests.
const (
	SeedVideo   = "176844028768320" // a generated video: no size, not listed
	SeedSpeech  = "297990555456011" // an asynchronous speech result: a tar
	SeedVoice   = "335560631603474" // an uploaded voice sample: no download URL
	SeedPrompt  = "335560631603512"
	SeedText    = "297990555455900"
	seededSince = 1_790_145_841 // 2026-09-23
)

func (s *Server) seed() {
	at := func(minutes int) time.Time { return time.Unix(seededSince+int64(minutes)*60, 0) }
	for _, f := range []NewFile{
		{ID: SeedText, Filename: "chapter-1.txt", Purpose: "t2a_async_input", CreatedAt: at(0), Content: []byte(script)},
		{ID: SeedVoice, Filename: "narrator.mp3", Purpose: "voice_clone", CreatedAt: at(4), Content: audio},
		{ID: SeedPrompt, Filename: "greeting.mp3", Purpose: "prompt_audio", CreatedAt: at(5), Content: audio},
		{ID: SeedSpeech, Filename: SeedSpeech + ".tar", Purpose: "t2a_async", CreatedAt: at(9), Content: speechTar()},
		{ID: SeedVideo, Filename: "output_aigc.mp4", Purpose: "video_generation", CreatedAt: at(12), Content: video},
	} {
		s.Add(f)
	}
}

const script = "Chapter one. The harbour was quiet, and the boats had not yet come home.\n"

// speechTar is laid out like the results of asynchronous speech: a directory
// with the audio, its extra information and its subtitles [LIVE].
var speechTar = sync.OnceValue(func() []byte {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	const dir = "content-95157322514496/"
	for _, entry := range []struct {
		name string
		body []byte
	}{
		{dir, nil},
		{dir + "content-95157322514496.mp3", audio},
		{dir + "content-95157322514496.extra", []byte(`{"audio_length":3060,"audio_sample_rate":32000,"audio_size":18596,"bitrate":48000,"word_count":13}`)},
		{dir + "content-95157322514496.titles", []byte(`[{"text":"Chapter one.","time_begin":0,"time_end":900},{"text":"The harbour was quiet, and the boats had not yet come home.","time_begin":900,"time_end":3060}]`)},
	} {
		header := &tar.Header{Name: entry.name, Mode: 0o644, Size: int64(len(entry.body)), ModTime: time.Unix(seededSince, 0), Format: tar.FormatUSTAR}
		if entry.body == nil {
			header.Typeflag, header.Mode = tar.TypeDir, 0o755
		}
		// Writing to a bytes.Buffer can't fail.
		_ = w.WriteHeader(header)
		_, _ = w.Write(entry.body)
	}
	_ = w.Close()
	return archive.Bytes()
})
