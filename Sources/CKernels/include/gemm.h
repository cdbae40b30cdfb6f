#pragma once
int amend_vector_width(void);
