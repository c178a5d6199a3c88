// Package archtest keeps the shape of the program: which package may import
// which, what stays without I/O, where a library is used, and that no package
// has state of its own. Each rule prints its reason when it is broken. Where a
// rule is in the way, the first guess is that a type is in the wrong package;
// the second, that the rule is wrong, and then it changes here, with a reason.
//
// There is nothing in this package but tests.
package archtest
