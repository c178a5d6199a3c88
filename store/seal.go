package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"pabal/internal/fault"
	"pabal/transfer"
)

// This file seals payload at rest: with a key in the options every block that
// is written is encrypted by AES-256-GCM before it meets the database, under a
// nonce of its own. The row's place goes into the seal, so a row that was moved
// to another transfer, number or offset, or whose sequence lengths were
// changed, does not open. Nonces are 96 random bits, which is good for 2^32
// blocks per key: with blocks of 400 KB more than a petabyte.
//
// The row's checksum is that of what is stored. So damage on the disk is told
// without the key (CodeBlockDamaged), and a row that is as it was written but
// does not open is something else (CodeBlockForeign).

// KeySize is the length of a payload key in bytes.
const KeySize = 32

// Key seals payload. It never shows what it was made from.
type Key struct {
	id   string
	aead cipher.AEAD
}

// NewKey makes a key of KeySize bytes. Errors: CodeKeyInvalid.
func NewKey(secret []byte) (Key, error) {
	if len(secret) != KeySize {
		return Key{}, fault.New(CodeKeyInvalid, "", "bytes", len(secret), "want", KeySize)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return Key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, err
	}
	// The name follows from the key, so no two keys have one name and a wrong
	// key is known as such before anything is read. Nothing leads back.
	sum := sha256.Sum256(append([]byte("pabal payload key\x00"), secret...))
	return Key{id: hex.EncodeToString(sum[:6]), aead: aead}, nil
}

// ParseKey reads a key of KeySize bytes in hexadecimal or base64, as "openssl
// rand -hex 32" and "openssl rand -base64 32" write them. Errors:
// CodeKeyInvalid, which does not show the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	secret, err := hex.DecodeString(text)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if err == nil && len(secret) == KeySize {
			break
		}
		secret, err = encoding.DecodeString(text)
	}
	if err != nil {
		secret = nil
	}
	return NewKey(secret)
}

// ID names the key: 12 hexadecimal digits that follow from it.
func (k Key) ID() string { return k.id }

// Format writes the name under every verb of package fmt.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key "+k.id) }

// MarshalText is for encoders and package slog.
func (k Key) MarshalText() ([]byte, error) { return []byte("key " + k.id), nil }

// sealer seals and opens payload. Without keys it leaves what is written as it
// is and can open nothing.
type sealer struct {
	write *Key // the first key
	byID  map[string]*Key
	spare sync.Pool // *[]byte, for opened blocks of which a part is wanted
}

func newSealer(keys []Key) *sealer {
	s := &sealer{byID: make(map[string]*Key, len(keys))}
	for i := range keys {
		s.byID[keys[i].id] = &keys[i]
	}
	if len(keys) > 0 {
		s.write = &keys[0]
	}
	return s
}

// seal gives what is stored of a payload, and the name of the key.
func (s *sealer) seal(id string, b *transfer.Block, lengths []byte) (stored []byte, key string) {
	if s.write == nil {
		return b.Payload, ""
	}
	return s.write.aead.Seal(nil, nil, b.Payload, sealedPlace(id, b.Number, b.Offset, lengths)), s.write.id
}

// sealedPlace is what a seal vouches for beside the payload.
func sealedPlace(id string, number, offset int64, lengths []byte) []byte {
	b := make([]byte, 0, len(id)+24+len(lengths))
	b = binary.BigEndian.AppendUint64(b, uint64(len(id)))
	b = append(b, id...)
	b = binary.BigEndian.AppendUint64(b, uint64(number))
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	return append(b, lengths...)
}

// openInto appends the payload of a whole row to dst.
func (s *sealer) openInto(dst []byte, id, key string, number, offset int64, lengths, stored []byte) ([]byte, error) {
	if key == "" {
		return append(dst, stored...), nil
	}
	k := s.byID[key]
	if k == nil {
		return nil, fault.New(CodeKeyMissing, id, "key", key)
	}
	dst, err := k.aead.Open(dst, nil, stored, sealedPlace(id, number, offset, lengths))
	if err != nil {
		return nil, fault.New(CodeBlockForeign, id, "block", number)
	}
	return dst, nil
}

// borrow gives a buffer for one block; give it back with restore.
func (s *sealer) borrow() *[]byte {
	if b, ok := s.spare.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (s *sealer) restore(b *[]byte) { s.spare.Put(b) }

// metaKey names the key that was written with last. A server without it must
// not begin: it would add content in clear beside what somebody wanted sealed.
const metaKey = "payload_key"

// checkKeys refuses a database that has payload under keys that are not given.
func (s *Store) checkKeys(ctx context.Context) error {
	last, _, err := s.Meta(ctx, metaKey)
	if err != nil {
		return err
	}
	missing := func(id string) error {
		return fault.New(CodeKeyMissing, s.engine.name(), "key", id)
	}
	if last != "" && s.sealer.byID[last] == nil {
		return missing(last)
	}
	for id := ""; ; {
		// One step of the index for each key, however many rows it has sealed.
		ok, err := s.scan(ctx, []any{&id}, `SELECT key_id FROM blocks WHERE key_id <> '' AND key_id > $1 ORDER BY key_id LIMIT 1`, id)
		if err != nil || !ok {
			return err
		}
		if s.sealer.byID[id] == nil {
			return missing(id)
		}
	}
}

// noteKey keeps the name of the key that is written with from now on.
func (s *Store) noteKey(ctx context.Context) error {
	if s.sealer.write == nil {
		return nil
	}
	if last, _, err := s.Meta(ctx, metaKey); err != nil || last == s.sealer.write.id {
		return err
	}
	return s.SetMeta(ctx, metaKey, s.sealer.write.id)
}
