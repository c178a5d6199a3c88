package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetworkKinds(t *testing.T) {
	for magic, want := range map[uint32]string{
		0x6969: "nfs", 0xFF534D42: "cifs", 0xFE534D42: "smb2", 0x65735546: fuse,
		0xEF53: "", 0x58465342: "", 0x01021994: "", 0x9123683E: "", // ext4, xfs, tmpfs, btrfs
	} {
		require.Equal(t, want, networkKind(magic))
	}
}

func TestFuseKinds(t *testing.T) {
	const mounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
90 22 0:51 / /mnt/far rw,nosuid - fuse.sshfs user@host:/ rw,user_id=0
91 22 0:52 / /mnt/guest rw - virtiofs share rw
92 22 8:17 / /mnt/usb rw shared:9 - fuseblk /dev/sdb1 rw
`
	for dev, want := range map[uint64]string{51: "fuse.sshfs", 52: "", 8<<8 | 17: "", 99: fuse} {
		require.Equal(t, want, fuseKind(mounts, dev))
	}
}
