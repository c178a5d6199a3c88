package store

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// micros lets a time.Time be read from and written to a BIGINT of
// microseconds since 1970, in UTC. The zero time is 0.
type micros struct{ t *time.Time }

func (m micros) Value() (driver.Value, error) { return toMicros(*m.t), nil }

func (m micros) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("store: a time is stored as %T", src)
	}
	*m.t = fromMicros(v)
	return nil
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}

// flag lets a bool be read from and written to an INTEGER of 0 or 1.
type flag struct{ b *bool }

func (f flag) Value() (driver.Value, error) {
	if *f.b {
		return int64(1), nil
	}
	return int64(0), nil
}

func (f flag) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("store: a truth value is stored as %T", src)
	}
	*f.b = v != 0
	return nil
}
