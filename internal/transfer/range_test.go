package transfer

import "testing"

func TestParseContentRange(t *testing.T) {
	for _, tt := range []struct {
		header               string
		length, offset, size int64
		ok                   bool
	}{
		{"bytes 0-9/100", 10, 0, 100, true},
		{"bytes 90-99/100", -1, 90, 100, true},
		{"bytes 90-99/100", 11, 0, 0, false},
		{"bytes 90-100/100", -1, 0, 0, false},
		{"bytes 9-0/100", -1, 0, 0, false},
		{"bytes 0-9/*", 10, 0, 0, false},
		{"bytes */100", -1, 0, 0, false},
		{"bytes -1-9/100", -1, 0, 0, false},
		{"0-9/100", 10, 0, 0, false},
		{"", 10, 0, 0, false},
		{"bytes 0-9223372036854775806/9223372036854775807", -1, 0, 9223372036854775807, true},
		{"bytes 0-9/9223372036854775808", 10, 0, 0, false},
	} {
		offset, size, err := parseContentRange(tt.header, tt.length)
		if offset != tt.offset && tt.ok || size != tt.size && tt.ok || (err == nil) != tt.ok {
			t.Errorf("%q with %d bytes: %d, %d, %v", tt.header, tt.length, offset, size, err)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/100", int64(10))
	f.Fuzz(func(t *testing.T, header string, length int64) {
		offset, size, err := parseContentRange(header, length)
		if err == nil && (offset < 0 || size <= 0 || offset >= size || length >= 0 && offset+length > size) {
			t.Errorf("%q with %d bytes: %d of %d", header, length, offset, size)
		}
	})
}
