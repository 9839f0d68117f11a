/* SPDX-License-Identifier: Apache-2.0 */

#include "image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/macro.h"

#define PAGE ((size_t)4096)

const char *const part_names[_PART_MAX] = {
        [PART_CONTENT] = "content",
        [PART_KEY] = "key",
        [PART_STRUCTURE] = "structure",
};

Image image_read(const char *directory, const char *name) {
        Image image = {};
        char path[128];
        struct stat st;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_int_equal(fstat(fileno(file), &st), 0);
        image.size = (size_t)st.st_size;
        image.bytes = calloc(1, image.size);
        image.parts = calloc(1, image.size);
        assert_true(image.bytes && image.parts);
        assert_int_equal(fread(image.bytes, 1, image.size, file), image.size);
        fclose(file);
        return image;
}

/* ---- what LMDB's pages are made of (lmdb.h does not tell) ---- */

typedef struct PageHead {
        uint64_t number;
        uint16_t pad, flags, lower, upper;
} PageHead;

typedef struct NodeHead {
        uint16_t low, high, flags, key_size;
} NodeHead;

typedef struct Tree {
        uint32_t pad;
        uint16_t flags, depth;
        uint64_t branches, leaves, overflows, entries, root;
} Tree;

typedef struct MetaPage {
        PageHead head;
        uint32_t magic, version;
        uint64_t address, map_size;
        Tree trees[2]; /* of the free pages, of the databases */
        uint64_t last_page, transaction;
} MetaPage;

#define PAGE_BRANCH 0x01
#define NODE_BIG    0x01
#define NODE_TREE   0x02
#define NO_PAGE     UINT64_MAX

static void mark(Image *image, size_t at, size_t size, Part part) {
        assert_true(at <= image->size && size <= image->size - at);
        memset(image->parts + at, part, size);
}

static void mark_page(Image *image, uint64_t number, Part part);

/* A value on pages of its own. */
static void mark_big(Image *image, size_t at, size_t size, Part part) {
        uint64_t number;

        memcpy(&number, image->bytes + at, sizeof(number));
        mark(image, at, sizeof(number), PART_STRUCTURE);
        mark(image, number * PAGE, sizeof(PageHead), PART_STRUCTURE);
        mark(image, number * PAGE + sizeof(PageHead), size, part);
}

static void mark_leaf(Image *image, size_t at, const NodeHead *node, Part part) {
        size_t size = node->low | (size_t)node->high << 16;
        size_t value = at + sizeof(*node) + node->key_size;
        Tree tree;

        mark(image, at + sizeof(*node), node->key_size, PART_KEY);
        if (node->flags & NODE_BIG) {
                mark_big(image, value, size, part);
                return;
        }
        mark(image, value, size, node->flags & NODE_TREE ? PART_STRUCTURE : part);
        if (!(node->flags & NODE_TREE))
                return;
        memcpy(&tree, image->bytes + value, sizeof(tree));
        mark_page(image, tree.root, PART_CONTENT);
}

static void mark_node(Image *image, size_t at, bool branch, Part part) {
        NodeHead node;

        memcpy(&node, image->bytes + at, sizeof(node));
        mark(image, at, sizeof(node), PART_STRUCTURE);
        if (branch) {
                mark(image, at + sizeof(node), node.key_size, PART_STRUCTURE);
                mark_page(image, node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32,
                          part);
        } else
                mark_leaf(image, at, &node, part);
}

/* And all below it; part: what its values are. */
static void mark_page(Image *image, uint64_t number, Part part) {
        PageHead head;
        size_t at = number * PAGE, nodes;

        if (number == NO_PAGE)
                return;
        memcpy(&head, image->bytes + at, sizeof(head));
        assert_int_equal(head.number, number);
        nodes = (head.lower - sizeof(head)) / sizeof(uint16_t);
        mark(image, at, head.lower, PART_STRUCTURE);
        for (size_t i = 0; i < nodes; i++) {
                uint16_t offset;

                memcpy(&offset, image->bytes + at + sizeof(head) + i * sizeof(offset),
                       sizeof(offset));
                mark_node(image, at + offset, head.flags & PAGE_BRANCH, part);
        }
}

void image_mark_parts(Image *image) {
        MetaPage metas[2], *newest;

        for (size_t i = 0; i < 2; i++)
                memcpy(&metas[i], image->bytes + i * PAGE, sizeof(metas[i]));
        newest = &metas[metas[1].transaction > metas[0].transaction];
        mark_page(image, newest->trees[0].root, PART_STRUCTURE);
        mark_page(image, newest->trees[1].root, PART_STRUCTURE);
        mark(image, 0, 2 * PAGE, PART_STRUCTURE);
}
