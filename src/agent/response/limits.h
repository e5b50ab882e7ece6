/* Ceilings of what responses do. */
#pragma once

/* Processes ended by one order. A fork bomb's tree is killed in several orders. */
#define HM_KILL_MAX 4096
/* Of those, named in the report; the rest is a number. 256 of the longest paths fit one message. */
#define HM_KILL_NAMED_MAX 256
/* Looks at /proc for children that came while their parents were being stopped, one a millisecond.
 * A stopped process forks no more; one that sleeps in the kernel (vfork) is not waited for longer.
 */
#define HM_KILL_PASSES 200
/* What a killed process gets to be gone; longer means it sleeps in the kernel. */
#define HM_KILL_WAIT_MS 1500
/* Of an image's path in the report. */
#define HM_KILL_IMAGE_BYTES 256
