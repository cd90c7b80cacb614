/* Chapters of going back (tests/walk/chapters.h). */
#ifndef HOLDFAST_TESTS_WALK_CHAPTERS_BACK_H
#define HOLDFAST_TESTS_WALK_CHAPTERS_BACK_H

#include "tests/walk/stage.h"

int before_views(struct stage *stage);
int play_views(struct stage *stage);
int play_trimmed(struct stage *stage);
int before_base(struct stage *stage);
int play_base(struct stage *stage);
int before_back(struct stage *stage);
int play_back(struct stage *stage);
int before_replace(struct stage *stage);
int play_replace(struct stage *stage);
int before_found(struct stage *stage);
int play_found(struct stage *stage);
int before_compare(struct stage *stage);
int play_compare(struct stage *stage);

#endif
