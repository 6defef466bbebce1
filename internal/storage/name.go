package storage

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxName is the longest file name in bytes: the usual limit of 255 less what
// a temporary name adds.
const maxName = 200

// CleanName turns any text, such as a name from an API, into one file name
// that is safe on Linux, macOS and Windows: no directories, no control or
// invisible characters, nothing a shell or file manager would misread, at most
// 200 bytes with its extension kept. It is fallback where nothing is left.
// Cleaning a clean name changes nothing.
func CleanName(name, fallback string) string {
	for {
		// One step can make room for another: a cut can lay a reserved name
		// bare. Each only shortens, or adds one underscore, so this ends.
		clean := cleanStep(name)
		if clean == "" {
			return fallback
		}
		if clean == name {
			return clean
		}
		name = clean
	}
}

func cleanStep(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, "_"))
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/': // nothing but slashes
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, Visible(name))
	// A leading dash reads as an option, a leading dot or tilde as something special.
	name = strings.TrimLeft(name, " .-~")
	if isReserved(name) {
		name = "_" + name
	}
	return strings.TrimRight(shorten(name), " .")
}

// Visible drops what can't be seen, or makes text read otherwise than it is:
// control characters, direction marks, zero-width characters, tags and variation
// selectors. Every kind of space and line end becomes a plain space.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Zs, r):
			return ' '
		case !unicode.IsPrint(r), r >= 0xFE00 && r <= 0xFE0E, r >= 0xE0100 && r <= 0xE01EF, r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

// AddSuffix puts a suffix between the stem and the extension of a clean name,
// and shortens the stem where the name would get too long.
func AddSuffix(name, suffix string) string {
	stem, ext := splitExt(name)
	return cut(stem, maxName-len(suffix)-len(ext)) + suffix + ext
}

// shorten cuts the stem so that the name fits.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	stem, ext := splitExt(name)
	return cut(stem, maxName-len(ext)) + ext
}

// splitExt finds the extension, if it is of a length extensions have.
func splitExt(name string) (stem, ext string) {
	if ext = path.Ext(name); len(ext) > 20 || len(ext) == len(name) {
		ext = ""
	}
	return strings.TrimSuffix(name, ext), ext
}

// cut shortens s to at most so many bytes, at a whole character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:max(0, most)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return strings.TrimRight(s, " .")
}

// isReserved reports names that Windows keeps for devices, with any extension.
func isReserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if device, ok := strings.CutPrefix(stem, "COM"); ok {
		return isDeviceNumber(device)
	}
	device, ok := strings.CutPrefix(stem, "LPT")
	return ok && isDeviceNumber(device)
}

func isDeviceNumber(s string) bool {
	return utf8.RuneCountInString(s) == 1 && strings.ContainsAny(s, "0123456789¹²³")
}
