package filemgr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func stage(t *testing.T, dir, id, content string) Staged {
	t.Helper()
	s, err := Assemble(context.Background(), AssembleOptions{ReceiveDir: dir, ID: id, Form: Form{Kind: Raw}}, source([]byte(content)))
	require.NoError(t, err)
	return s
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestAssembleFromScratch(t *testing.T) {
	dir := t.TempDir()
	s := stage(t, dir, "1", "a much longer first try")
	require.Equal(t, filepath.Join(dir, ".pabal", "1"), s.Path)
	s = stage(t, dir, "1", "second")
	require.Equal(t, "second", content(t, s.Path))
	require.Equal(t, digest([]byte("second")), s.FileDigest)

	boom := errors.New("boom")
	_, err := Assemble(context.Background(), AssembleOptions{ReceiveDir: dir, ID: "1", Form: Form{Kind: Raw}},
		func(emit func([]byte) error) error { return errors.Join(emit([]byte("half")), boom) })
	require.ErrorIs(t, err, boom)
	require.NoFileExists(t, s.Path)

	for _, id := range []string{"", "../x", ".x", "a/b"} {
		_, err := Assemble(context.Background(), AssembleOptions{ReceiveDir: dir, ID: id, Form: Form{Kind: Raw}}, source())
		requireCode(t, CodeBadID, err)
	}
	target := put(t, filepath.Join(dir, "elsewhere"), []byte("precious"))
	require.NoError(t, os.Symlink(target, StagedPath(dir, "2")))
	_, err = Assemble(context.Background(), AssembleOptions{ReceiveDir: dir, ID: "2", Form: Form{Kind: Raw}}, source([]byte("x")))
	requireCode(t, CodeSymlink, err)
	require.Equal(t, "precious", content(t, target), "a link is not followed")
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	stage(t, dir, "1", "content")
	final := filepath.Join(dir, "EB22.KFTC.CMS.20260320")
	require.NoError(t, Place(dir, "1", final, ExistingWait, ".fin"))
	require.Equal(t, "content", content(t, final))
	require.Empty(t, content(t, final+".fin"))
	require.NoFileExists(t, StagedPath(dir, "1"))
	require.NoError(t, Discard(dir, "1"), "nothing to discard is fine")
}

func TestPlaceAndAnExistingName(t *testing.T) {
	dir := t.TempDir()
	final := put(t, filepath.Join(dir, "a.dat"), []byte("old"))
	stage(t, dir, "1", "new")

	_, err := ChooseFinal(dir, "a.dat", ".dat", ExistingWait)
	require.True(t, Waits(requireCode(t, CodeExists, err).Code))
	requireCode(t, CodeExists, Place(dir, "1", final, ExistingWait, ".fin"))
	require.Equal(t, "old", content(t, final))
	require.NoFileExists(t, final+".fin")
	require.FileExists(t, StagedPath(dir, "1"))

	for _, want := range []string{"a.1.dat", "a.2.dat"} {
		path, err := ChooseFinal(dir, "a.dat", ".dat", ExistingNumber)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, want), path)
		put(t, path, nil)
	}
	path, err := ChooseFinal(dir, "a.dat", "", ExistingNumber)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a.dat.1"), path)
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "b")))
	path, err = ChooseFinal(dir, "b", "", ExistingNumber)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "b.1"), path, "a dangling link takes the name too")
	path, err = ChooseFinal(dir, "free", "", "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "free"), path)

	path, err = ChooseFinal(dir, "a.dat", ".dat", ExistingReplace)
	require.NoError(t, err)
	require.NoError(t, Place(dir, "1", path, ExistingReplace, ""))
	require.Equal(t, "new", content(t, final))
}

// Every point at which a crash can stop placing, as the state of the directory
// that it leaves, and what calling Place again makes of it.
func TestPlaceAfterACrash(t *testing.T) {
	type state struct {
		name   string
		make   func(t *testing.T, dir, final string)
		state  State
		file   bool
		flag   bool
		reason string
	}
	for _, c := range []state{
		{"before the rename", func(t *testing.T, dir, final string) { stage(t, dir, "1", "content") }, StateStaged, true, true, ""},
		{"between link and unlink", func(t *testing.T, dir, final string) {
			s := stage(t, dir, "1", "content")
			require.NoError(t, os.Link(s.Path, final))
		}, StateStaged, true, true, ""},
		{"after the rename", func(t *testing.T, dir, final string) {
			require.NoError(t, os.Rename(stage(t, dir, "1", "content").Path, final))
		}, StatePlaced, true, true, ""},
		{"after the flag", func(t *testing.T, dir, final string) {
			require.NoError(t, os.Rename(stage(t, dir, "1", "content").Path, final))
			put(t, final+".fin", nil)
		}, StatePlaced, true, true, ""},
		{"after the business system took it", func(t *testing.T, dir, final string) {
			require.NoError(t, os.Remove(stage(t, dir, "1", "content").Path))
		}, StatePlaced, false, false, "never built again, no flag without a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			final := filepath.Join(dir, "final")
			c.make(t, dir, final)
			got, err := Recover(dir, "1")
			require.NoError(t, err)
			require.Equal(t, c.state, got)
			for range 2 {
				require.NoError(t, Place(dir, "1", final, ExistingWait, ".fin"))
				if c.file {
					require.Equal(t, "content", content(t, final))
				} else {
					require.NoFileExists(t, final, c.reason)
				}
				_, err = os.Stat(final + ".fin")
				require.Equal(t, c.flag, err == nil, c.reason)
				require.NoFileExists(t, StagedPath(dir, "1"))
			}
		})
	}
}

func TestRecoverConcludesNothingWithoutTheDirectory(t *testing.T) {
	dir := t.TempDir()
	_, err := Recover(dir, "1")
	require.True(t, Waits(requireCode(t, CodeDirMissing, err).Code), "an unmounted disk looks like a placed file")
	requireCode(t, CodeDirMissing, Place(dir, "1", filepath.Join(dir, "final"), ExistingWait, ""))
}
