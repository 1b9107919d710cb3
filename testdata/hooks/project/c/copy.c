/* Flaws that analysers find: scanned by tests, and never run. */
#include <string.h>

int copy(const char *from) {
	char to[4];
	strcpy(to, from);
	return to[7];
}

/* Two analysers find this one: CWE-119. */
#include <stdio.h>

int name(void) {
	char name[8]; return scanf("%s", name);
}
