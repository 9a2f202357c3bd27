/* SPDX-License-Identifier: GPL-2.0 */
#define TALLY_UNIT 1 /* what one added thing counts */

int tally_add(int n);
int tally_total(void);
