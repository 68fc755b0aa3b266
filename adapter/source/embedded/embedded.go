// PLACEHOLDER by the lead so that cmd/adapter builds until the source engineer's package is here: replace this file whole (keep New/Options/Close resp. New/ServeNamespace shapes, or tell).
package embedded

import (
	"context"
	"errors"
	"github.com/plimsoll/plimsoll/adapter/source"
	"time"
)

type Options struct {
	ScrapeConfigFile, DataDir string
	Retention                 time.Duration
}
type Engine struct{ source.Source }

func (*Engine) Close() error                        { return nil }
func New(context.Context, Options) (*Engine, error) { return nil, errors.New("x") }
