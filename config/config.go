// Package config is every setting of the server, read from the environment by
// [Load] and checked as a whole. A flag, where there is one of the same
// meaning, comes before the environment, and the environment before a default.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/caarlos0/env/v11"
	"github.com/dustin/go-humanize"
)

// Config is the one source of settings. Each field's tags are its
// documentation: the variable, its default, what it does, a valid value.
type Config struct {
	APIKey         Secret        `env:"MINIMAX_API_KEY" secret:"true" doc:"The MiniMax API key. Without one the server starts and lists its tools, and each call says what to set." example:"sk-api-…"`
	APIKeyFile     string        `env:"MINIMAX_API_KEY_FILE" doc:"A file that holds the key, instead of MINIMAX_API_KEY." example:"/run/secrets/minimax"`
	Region         Region        `env:"MINIMAX_REGION" envDefault:"global" doc:"Which MiniMax the key is from: global (minimax.io) or cn (minimaxi.com, minimax.cn)." example:"cn"`
	APIHost        BaseURL       `env:"MINIMAX_API_HOST" doc:"The API server, instead of the region's; a path prefix is kept." example:"https://api.minimax.io"`
	GroupID        string        `env:"MINIMAX_GROUP_ID" doc:"The GroupId that old accounts must send." example:"1782658868262748467"`
	APIQuery       Query         `env:"MINIMAX_API_QUERY" secret:"true" doc:"Query parameters added to every API call, as some resellers want." example:"channel_id=7&task=files"`
	BasePath       string        `env:"MINIMAX_MCP_BASE_PATH" doc:"The directory that downloads go to, and never out of. Default: MiniMax in the Downloads directory of the user, or minimax-files in the temporary directory where there is no home." example:"~/Movies"`
	UploadPath     string        `env:"MINIMAX_MCP_UPLOAD_PATH" doc:"The directory that uploads come from, and never from outside of it. Default: MINIMAX_MCP_BASE_PATH over stdio; none over a network, where upload_file takes the content itself." example:"~/Music"`
	ReadOnly       bool          `env:"MINIMAX_READ_ONLY" doc:"With true, the tools that change the account, upload_file and delete_file, are not there." example:"true"`
	Tools          []string      `env:"MINIMAX_TOOLS" doc:"The tools to offer, by name; the others are not there. Default: all." example:"list_files,download_file"`
	Confirm        Confirm       `env:"MINIMAX_DELETE_CONFIRM" envDefault:"auto" doc:"What delete_file wants first: auto, the user's word where the client can ask for it, else the file's name; always, the user's word; never, nothing." example:"always"`
	ResourceMode   Mode          `env:"MINIMAX_API_RESOURCE_MODE" doc:"What download_file does: local saves the file, url answers with its download URL. Default: local over stdio; url over a network, where the disk is not the user's." example:"url"`
	MaxDownload    ByteSize      `env:"MINIMAX_MAX_DOWNLOAD_BYTES" envDefault:"20GiB" doc:"The largest file that is downloaded." example:"2GiB"`
	Connections    Count         `env:"MINIMAX_MAX_CONNECTIONS" envDefault:"8" doc:"How many connections one download may use. More than one is opened only while that raises the speed." example:"1"`
	Transport      Transport     `env:"MCP_TRANSPORT" envDefault:"stdio" doc:"How clients connect: stdio, one over standard input and output; http, many over streamable HTTP, with SSE for older clients; sse, over SSE alone." example:"http"`
	Address        Address       `env:"MCP_ADDRESS" envDefault:"127.0.0.1:8080" doc:"Where http and sse listen: host:port, or unix:/path for a Unix socket." example:"127.0.0.1:9000"`
	PublicURL      BaseURL       `env:"MCP_PUBLIC_URL" doc:"The server as clients know it, where a proxy stands before it; the proxy removes its path, if it has one, from requests." example:"https://mcp.example.com"`
	AuthTokens     Secrets       `env:"MCP_AUTH_TOKEN" secret:"true" doc:"The bearer tokens that let callers in, one or several with commas or spaces between, each of at least 16 characters." example:"6f1c0e52…"`
	AuthTokenFile  string        `env:"MCP_AUTH_TOKEN_FILE" doc:"A file of bearer tokens with white space between, beside or instead of MCP_AUTH_TOKEN." example:"/run/secrets/mcp-tokens"`
	OAuthIssuer    Issuer        `env:"MCP_OAUTH_ISSUER" doc:"An OAuth authorization server whose access tokens (JWTs) let callers in. It wants MCP_PUBLIC_URL." example:"https://login.example.com"`
	OAuthAudience  string        `env:"MCP_OAUTH_AUDIENCE" doc:"The audience that access tokens must be for. Default: MCP_PUBLIC_URL with /mcp, or with /sse over SSE alone." example:"minimax-files"`
	AllowedHosts   []string      `env:"MCP_ALLOWED_HOSTS" doc:"Names that requests may have as their Host, beside loopback names, the address they were sent to, and that of MCP_PUBLIC_URL." example:"mcp.internal,mcp"`
	AllowedOrigins []string      `env:"MCP_ALLOWED_ORIGINS" doc:"Origins whose web pages may use the server, beside its own." example:"https://app.example.com"`
	TLSCert        string        `env:"MCP_TLS_CERT_FILE" doc:"A certificate chain in PEM, to speak TLS without a proxy. It is read again when it changes." example:"/etc/mcp/tls.crt"`
	TLSKey         string        `env:"MCP_TLS_KEY_FILE" doc:"The certificate's key in PEM." example:"/etc/mcp/tls.key"`
	MaxRequest     ByteSize      `env:"MCP_MAX_REQUEST_BYTES" envDefault:"4MiB" doc:"The largest request." example:"16MiB"`
	CallsPerMinute Bound         `env:"MCP_CALLS_PER_MINUTE" envDefault:"600" doc:"How many tool calls a caller may make in a minute; 0 for any number." example:"120"`
	CallsAtOnce    Bound         `env:"MCP_CALLS_AT_ONCE" envDefault:"32" doc:"How many tool calls of a caller may run at a time; 0 for any number." example:"8"`
	StopDelay      time.Duration `env:"MCP_STOP_DELAY" envDefault:"0s" doc:"How long the server goes on taking requests when it is told to stop, while /readyz says that it is not ready: a balancer takes some time to notice." example:"5s"`
	DrainTimeout   time.Duration `env:"MCP_DRAIN_TIMEOUT" envDefault:"30s" doc:"How long calls that run may then take to end." example:"2m"`
	TracesURL      CollectorURL  `env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"An OpenTelemetry collector that gets a trace of each tool call, over OTLP/HTTP. The other OTEL_ variables count too." example:"http://localhost:4318"`
	LogLevel       slog.Level    `env:"MINIMAX_LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error." example:"debug"`
	LogFormat      LogFormat     `env:"MINIMAX_LOG_FORMAT" envDefault:"text" doc:"text or json. Logs go to standard error." example:"json"`
	LogFile        string        `env:"MINIMAX_LOG_FILE" doc:"A file to append logs to, instead of standard error." example:"/var/log/minimax-files-mcp.log"`
}

// The settings that are a choice between words, and their words.
type (
	// Region is the MiniMax a key is from.
	Region string
	// Mode is what download_file does.
	Mode string
	// Confirm is what delete_file wants before it deletes.
	Confirm string
	// Transport is how clients connect.
	Transport string
	// LogFormat is how logs are written.
	LogFormat string
)

// The words.
const (
	ConfirmAuto   Confirm   = "auto"
	ConfirmAlways Confirm   = "always"
	ConfirmNever  Confirm   = "never"
	ModeLocal     Mode      = "local"
	ModeURL       Mode      = "url"
	Stdio         Transport = "stdio"
	SSE           Transport = "sse"
	HTTP          Transport = "http"
	LogText       LogFormat = "text"
	LogJSON       LogFormat = "json"
)

func (r *Region) UnmarshalText(text []byte) error {
	return choose(r, text, "global", "cn")
}

func (m *Mode) UnmarshalText(text []byte) error {
	return choose(m, text, ModeLocal, ModeURL)
}

func (c *Confirm) UnmarshalText(text []byte) error {
	return choose(c, text, ConfirmAuto, ConfirmAlways, ConfirmNever)
}

func (t *Transport) UnmarshalText(text []byte) error {
	return choose(t, text, Stdio, SSE, HTTP)
}

func (f *LogFormat) UnmarshalText(text []byte) error {
	return choose(f, text, LogText, LogJSON)
}

func choose[T ~string](into *T, text []byte, words ...T) error {
	word := T(strings.ToLower(strings.TrimSpace(string(text))))
	if !slices.Contains(words, word) {
		return fmt.Errorf("it must be one of %v", words)
	}
	*into = word
	return nil
}

// A BaseURL is an https URL, or an http one on loopback, without a trailing
// slash. "https://" may be left out.
type BaseURL string

func (b *BaseURL) UnmarshalText(text []byte) error {
	raw := strings.TrimSpace(string(text))
	if raw == "" {
		return nil
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("it is not a URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it may have a path, but no user, query or fragment (MINIMAX_API_QUERY adds parameters)")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		*b = BaseURL(strings.TrimRight(raw, "/"))
		return nil
	}
	return errors.New("it must start with https://, because keys and tokens are sent there")
}

// IsLoopback reports whether the URL is one of this machine.
func (b BaseURL) IsLoopback() bool {
	u, err := url.Parse(string(b))
	return err == nil && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A Query is a set of URL query parameters.
type Query struct{ url.Values }

func (q *Query) UnmarshalText(text []byte) error {
	values, err := url.ParseQuery(strings.TrimPrefix(string(text), "?"))
	if err != nil {
		return errors.New("it is not a URL query")
	}
	q.Values = values
	return nil
}

// A Count is a whole number from 1 to 16.
type Count int

func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 || n > 16 {
		return errors.New("it is not a whole number from 1 to 16")
	}
	*c = Count(n)
	return nil
}

// A ByteSize is a number of bytes, with or without a unit: 1048576, 20GiB, 5 MB.
type ByteSize int64

func (b *ByteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n == 0 || n > 1<<62 {
		return errors.New("it is not a number of bytes, at least 1")
	}
	*b = ByteSize(n)
	return nil
}

// Load reads the settings from an environment in the form of os.Environ. Its
// error names every setting that is wrong, with its value and a valid one.
func Load(environ []string) (Config, error) {
	vars := env.ToMap(environ)
	for name, value := range vars { // "" is how many clients write "not set"
		if strings.TrimSpace(value) == "" {
			delete(vars, name)
		}
	}
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: vars})
	var problems []error
	if parse, ok := errors.AsType[env.AggregateError](err); ok {
		for _, e := range parse.Errors {
			problems = append(problems, wrong(vars, e))
		}
	} else if err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, cfg.finish(vars)...)
	problems = append(problems, cfg.finishNetwork(vars)...)
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		problems = slices.CompactFunc(problems, func(a, b error) bool { return a.Error() == b.Error() })
		return Config{}, errors.Join(problems...)
	}
	return cfg, nil
}

// wrong words one setting's error.
func wrong(vars map[string]string, err error) error {
	if parse, ok := errors.AsType[env.ParseError](err); ok {
		if s, ok := settingOf(parse.Name); ok {
			cause := parse.Err.Error()
			switch parse.Name { // whose own texts repeat the value, or speak Go
			case "LogLevel":
				cause = "it must be debug, info, warn or error"
			case "ReadOnly":
				cause = "it must be true or false"
			case "StopDelay", "DrainTimeout":
				cause = "it is not a time, such as 5s or 2m"
			}
			return s.wrong(vars[s.Name], cause)
		}
	}
	return err
}

// Wrong is the error of a setting that turns out to be of no use, in the words
// of [Load].
func Wrong(name, value, cause string) error {
	for _, s := range Settings() {
		if s.Name == name {
			return s.wrong(value, cause)
		}
	}
	return fmt.Errorf("%s is %q: %s", name, value, cause)
}

func (s Setting) wrong(value, cause string) error {
	return fmt.Errorf("%s is %q: %s; for example %s=%s", s.Name, s.shown(value), cause, s.Name, s.Example)
}

// userInfo is where a URL can hold a password.
var userInfo = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//[^/@]*@`) })

// shown is a value without what may be secret in it.
func (s Setting) shown(value string) string {
	if s.secret {
		return hidden
	}
	return userInfo().ReplaceAllString(value, "//"+hidden+"@")
}

// unfilled is a variable that somebody expected to be filled in.
var unfilled = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{|\$[A-Za-z_]|%[A-Za-z_]+%`) })

// finish checks and completes what one variable alone does not decide.
func (c *Config) finish(vars map[string]string) (problems []error) {
	home := cmp.Or(vars["HOME"], vars["USERPROFILE"])
	complain := func(field, value, cause string) {
		s, _ := settingOf(field)
		problems = append(problems, s.wrong(value, cause))
	}
	if c.APIKeyFile != "" {
		c.APIKeyFile = expand(c.APIKeyFile, home)
		text, err := readShort(c.APIKeyFile)
		switch {
		case c.APIKey.IsSet():
			complain("APIKeyFile", c.APIKeyFile, "MINIMAX_API_KEY is set too; set one of them")
		case err != nil:
			complain("APIKeyFile", c.APIKeyFile, reason(err))
		case strings.TrimSpace(text) == "":
			complain("APIKeyFile", c.APIKeyFile, "the file is empty")
		}
		c.APIKey = Secret{text}
	}
	c.APIKey.text = strings.TrimSpace(c.APIKey.text)
	if strings.Contains(c.APIKey.text, "${") {
		complain("APIKey", hidden, "it is a placeholder, ${…}, that the MCP client did not fill in")
	} else if strings.ContainsFunc(c.APIKey.text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r > unicode.MaxASCII }) {
		const why = "it holds a space or a character no key has"
		if c.APIKeyFile != "" {
			complain("APIKeyFile", c.APIKeyFile, why)
		} else {
			complain("APIKey", hidden, why)
		}
	}
	if c.BasePath == "" {
		c.BasePath = filepath.Join(os.TempDir(), "minimax-files")
		if home != "" {
			c.BasePath = filepath.Join(home, "Downloads", "MiniMax")
		}
	}
	if c.UploadPath == "" && c.Transport == Stdio {
		c.UploadPath = c.BasePath
	}
	for field, path := range map[string]*string{"BasePath": &c.BasePath, "UploadPath": &c.UploadPath} {
		s, _ := settingOf(field)
		given := *path
		if given == "" {
			continue
		}
		*path = expand(given, home)
		if abs, err := filepath.Abs(*path); err == nil {
			*path = abs
		}
		if vars[s.Name] != "" && unfilled().MatchString(vars[s.Name]) {
			complain(field, given, "variables in it are not filled in, as no shell reads it; ~ is the home directory")
		} else if info, err := os.Stat(*path); err == nil && !info.IsDir() && (field == "BasePath" || vars[s.Name] != "") {
			complain(field, given, "it is not a directory")
		}
	}
	if c.ResourceMode == "" {
		c.ResourceMode = ModeLocal
		if c.Transport != Stdio {
			c.ResourceMode = ModeURL
		}
	}
	if c.LogFile != "" {
		c.LogFile = expand(c.LogFile, home)
	}
	for i := range c.Tools {
		c.Tools[i] = strings.TrimSpace(c.Tools[i])
	}
	return problems
}

// readShort reads a file that is no longer than a key can be.
func readShort(path string) (string, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = errors.New("it is too long to be a key")
	}
	return string(text), err
}

// expand replaces a leading ~, which no shell has done for a variable that
// comes from a JSON file.
func expand(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		return filepath.Join(home, rest)
	}
	return path
}

func reason(err error) string {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err
	}
	return "it can't be read (" + err.Error() + ")"
}

// A Setting documents one environment variable.
type Setting struct {
	Name, Default, Doc, Example string

	secret bool // its value is not repeated
}

// Settings lists them all, in the order of the struct.
func Settings() []Setting {
	t := reflect.TypeFor[Config]()
	settings := make([]Setting, t.NumField())
	for i := range settings {
		tag := t.Field(i).Tag
		settings[i] = Setting{tag.Get("env"), tag.Get("envDefault"), tag.Get("doc"), tag.Get("example"), tag.Get("secret") != ""}
	}
	return settings
}

func settingOf(field string) (Setting, bool) {
	t := reflect.TypeFor[Config]()
	f, ok := t.FieldByName(field)
	if !ok {
		return Setting{}, false
	}
	return Settings()[f.Index[0]], true
}

// Unknown returns variables that begin like ours and mean nothing, sorted:
// most often a slip of the pen.
func Unknown(environ []string) []string {
	known := map[string]bool{}
	for _, s := range Settings() {
		known[s.Name] = true
	}
	unknown := map[string]bool{}
	for name := range env.ToMap(environ) {
		ours := slices.ContainsFunc([]string{"MINIMAX_", "MCP_AUTH_", "MCP_OAUTH_", "MCP_ALLOWED_", "MCP_TLS_", "MCP_CALLS_"}, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		})
		if ours && !known[name] {
			unknown[name] = true
		}
	}
	return slices.Sorted(maps.Keys(unknown))
}
