// Package filemgr does what happens to files in directories: it finds files
// that are ready and claims them (scan, watch, claim), checks them and cuts them
// into blocks of wire bytes (Split), builds received files from wire bytes and
// gives them their final names (Assemble, Place), and keeps what is left over in
// backup/, error/ and the result directory.
//
// It knows no database, no registrations and no protocol. Options are small
// structs, blocks leave through a callback and wire bytes come from one; package
// instance joins both with the store. No function holds a file in memory, and
// each that changes directories can be called again after a crash at any point.
//
// Errors are faults (package fault). Waits tells whether a code is about the
// surroundings, so that the transfer waits, or about the file itself.
package filemgr
