/* Chapters of what went wrong before, and of those who only ask
 * (tests/walk/chapters.h). */
#ifndef HOLDFAST_TESTS_WALK_CHAPTERS_DOUBT_H
#define HOLDFAST_TESTS_WALK_CHAPTERS_DOUBT_H

#include "tests/walk/stage.h"

int play_damage(struct stage *stage);
int before_search(struct stage *stage);
int play_search(struct stage *stage);
int before_condemned(struct stage *stage);
int before_told(struct stage *stage);
int play_told(struct stage *stage);
int play_library(struct stage *stage);
int play_window(struct stage *stage);

#endif
