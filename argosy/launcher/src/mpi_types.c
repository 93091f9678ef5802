/* What a datatype is made of, as the guest made it, and its name.
 *
 * Invariants.
 * - A struct's extent is what a compiler for the guest makes it. Where the node's MPI reckons with another alignment, as
 *   of its own long double, the type has its bounds set, and is shown to the guest without that.
 * - What the guest calls MPI_LONG is another type's name on the node: the guest's name is kept.
 */
#include "mpi_types.h"

enum { QUAD_ALIGNMENT = 16 };

/* --- what new datatypes are made of ------------------------------------------------------------------------------- */

static enum quads together(enum quads one, enum quads other) {
    return one == other ? one : QUADS_AMONG_OTHERS;
}

/* The record of a datatype that has none yet, with room for so many parts; NULL: no memory, and it is made without. */
static struct type_info *note(uint32_t handle, int64_t parts) {
    struct slot *slot = slot_find(&datatype_handles, handle);
    if (slot == NULL || slot->extra != NULL) {
        return NULL;
    }
    struct type_info *info = calloc(1, sizeof *info + (size_t)parts * sizeof *info->parts);
    if (info != NULL) {
        info->host = datatype_unpack(slot->host);
        info->parts = parts == 0 ? NULL : (const uint32_t *)(info + 1);
        slot->extra = info;
    }
    return info;
}

/* Has the node another name for it, so that its own account of it would not do? */
static bool renamed(const struct type_info *type) {
    return type->name != NULL;
}

static struct type_info *made(uint32_t handle, const struct type_info *old) {
    struct type_info *info = note(handle, renamed(old));
    if (info != NULL) {
        info->quads = old->quads;
        info->bounded = old->bounded;
        if (renamed(old)) {
            *(uint32_t *)(info + 1) = type_predefined_handle(old);
        }
    }
    return info;
}

void type_made(uint32_t handle, const struct type_info *old) {
    made(handle, old);
}

void type_duplicated(uint32_t handle, const struct type_info *old) {
    struct type_info *info = made(handle, old);
    if (info != NULL) {
        info->committed = old->committed;
    }
}

void type_resized(uint32_t handle, const struct type_info *old) {
    struct type_info *info = made(handle, old);
    if (info != NULL) {
        info->bounded = true;
    }
}

void struct_begin(struct bounds *bounds, struct scratch *scratch, int64_t count) {
    *bounds = (struct bounds){.parts = scratch_take(scratch, (uint64_t)count * sizeof *bounds->parts)};
}

/* Numbers are exact in double: type_grows() has seen them. */
void struct_member(struct bounds *bounds, int64_t i, const struct type_info *type, int64_t displacement, int64_t length) {
    if (bounds->parts != NULL) {
        bounds->parts[i] = renamed(type) ? type_predefined_handle(type) : 0;
        bounds->renamed |= renamed(type);
    }
    if (length == 0) {
        return;
    }
    double reach = (double)(length - 1) * (double)type->extent, at = (double)displacement + (double)type->lower;
    double low = at + (reach < 0 ? reach : 0), high = at + (double)type->extent + (reach > 0 ? reach : 0);
    bounds->low = !bounds->any || low < bounds->low ? low : bounds->low;
    bounds->high = !bounds->any || high > bounds->high ? high : bounds->high;
    if (type->bounded) {
        bounds->bounded_low = !bounds->any_bounded || low < bounds->bounded_low ? low : bounds->bounded_low;
        bounds->bounded_high = !bounds->any_bounded || high > bounds->bounded_high ? high : bounds->bounded_high;
        bounds->any_bounded = true;
    }
    bounds->quads = bounds->any ? together(bounds->quads, type->quads) : type->quads;
    bounds->any = true;
}

void struct_made(const struct bounds *bounds, int64_t count, uint32_t handle) {
    struct type_info *info = note(handle, bounds->renamed ? count : 0);
    if (info == NULL) {
        return;
    }
    if (bounds->renamed) {
        memcpy(info + 1, bounds->parts, (size_t)count * sizeof *bounds->parts);
    }
    info->quads = bounds->quads;
    info->bounded = bounds->any_bounded;
    if (info->quads == NO_QUADS || type_info_slowly(info) == NULL) {
        return;
    }
    info->measured = false;
    int64_t low = (int64_t)(bounds->any_bounded ? bounds->bounded_low : bounds->low);
    int64_t extent = (int64_t)(bounds->any_bounded ? bounds->bounded_high : bounds->high) - low;
    if (!bounds->any_bounded) {
        int64_t over = extent % QUAD_ALIGNMENT;
        extent += over == 0 ? 0 : QUAD_ALIGNMENT - over;
    }
    MPI_Datatype padded, unpadded = info->host;
    if ((low != info->lower || extent != info->extent) &&
        MPI_Type_create_resized(unpadded, (MPI_Aint)low, (MPI_Aint)extent, &padded) == MPI_SUCCESS) {
        info->host = padded;
        info->padded = true;
        slot_find(&datatype_handles, handle)->host = datatype_pack(padded);
        MPI_Type_free(&unpadded);
    }
}

/* --- what the guest is shown -------------------------------------------------------------------------------------- */

MPI_Datatype type_shown(const struct type_info *type, bool *borrowed, MPI_Datatype *shown) {
    int number;
    MPI_Aint bounds[2];
    *borrowed = type->padded && MPI_Type_get_contents(type->host, 1, 2, 1, &number, bounds, shown) == MPI_SUCCESS;
    if (!*borrowed) {
        *shown = type_predefined_handle(type) != 0 ? MPI_BYTE : type->host; /* predefined is whatever the guest has so */
    }
    return *shown;
}

void type_given_back(bool borrowed, MPI_Datatype *shown) {
    if (borrowed) {
        MPI_Type_free(shown);
    }
}

/* What a datatype holds that MPI gave, by asking what it is made of; also whether its bounds are set. */
static enum quads quads_of(MPI_Datatype host, bool *bounded) {
    int integers, addresses, types, combiner;
    uint32_t known = datatype_predefined_out(host);
    if (known != 0) {
        return type_find(known) == NULL ? NO_QUADS : type_find(known)->quads;
    }
#if HAVE_MPI_Type_get_envelope_c /* the other one is an error for a type of large counts, and so are its contents */
    MPI_Count have[4];
    if (MPI_Type_get_envelope_c(host, &have[0], &have[1], &have[2], &have[3], &combiner) != MPI_SUCCESS || have[2] > 0) {
        return NO_QUADS;
    }
#endif
    if (MPI_Type_get_envelope(host, &integers, &addresses, &types, &combiner) != MPI_SUCCESS || types == 0) {
        return NO_QUADS;
    }
    *bounded |= combiner == MPI_COMBINER_RESIZED;
    struct scratch scratch = {NULL};
    int *numbers = scratch_take(&scratch, (uint64_t)integers * sizeof *numbers);
    MPI_Aint *places = scratch_take(&scratch, (uint64_t)addresses * sizeof *places);
    MPI_Datatype *parts = scratch_take(&scratch, (uint64_t)types * sizeof *parts);
    enum quads all = NO_QUADS;
    if (numbers != NULL && places != NULL && parts != NULL &&
        MPI_Type_get_contents(host, integers, addresses, types, numbers, places, parts) == MPI_SUCCESS) {
        for (int i = 0; i < types; i++) {
            enum quads one = quads_of(parts[i], bounded);
            all = i == 0 ? one : together(all, one);
            known = datatype_predefined_out(parts[i]);
            if (known == 0 || type_find(known)->quads != NO_QUADS) { /* no predefined one of the node */
                MPI_Type_free(&parts[i]);
            }
        }
    }
    scratch_free(&scratch);
    return all;
}

void type_given(uint32_t handle) {
    struct slot *slot = slot_find(&datatype_handles, handle);
    struct type_info *info = note(handle, 0);
    if (info != NULL) {
        MPI_Datatype host = datatype_unpack(slot->host);
        info->quads = quads_of(host, &info->bounded);
        info->committed = MPI_Type_commit(&host) == MPI_SUCCESS; /* the standard leaves open whether it is */
    }
}

uint32_t part_out(const struct type_info *type, int64_t i, MPI_Datatype host) {
    uint32_t known = type->parts != NULL && type->parts[i] != 0 ? type->parts[i] : datatype_predefined_out(host);
    struct type_info *info = known == 0 ? NULL : type_find(known);
    if (info != NULL && info->quads != NO_QUADS) {
        MPI_Type_free(&host); /* one of the launcher's, or a copy of it, counted for the caller */
    } else if (known == 0) {
        known = datatype_out(host);
        type_given(known);
    }
    return known;
}

IMPORT(MPI_Type_get_envelope) {
    ENTER("MPI_Type_get_envelope")
    const struct type_info *type = type_info_in(v[0].i32);
    if (type == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "datatype", ABI_MPI_ERR_TYPE);
        return NULL;
    }
    for (int i = 1; i < 5; i++) {
        if (!room((uint32_t)v[i].i32, 1, 4)) {
            v[0].i32 = refuse(MPI_COMM_WORLD, here, "num_integers", ABI_MPI_ERR_ARG);
            return NULL;
        }
    }
    int have[3] = {0}, combiner = MPI_COMBINER_NAMED;
    bool borrowed;
    MPI_Datatype shown;
    int code = MPI_Type_get_envelope(type_shown(type, &borrowed, &shown), &have[0], &have[1], &have[2], &combiner);
    if (code == MPI_SUCCESS) {
        for (int i = 0; i < 3; i++) {
            put32((uint32_t)v[i + 1].i32, have[i]);
        }
        put32((uint32_t)v[4].i32, constant_out(constants_combiners, combiner));
    }
    type_given_back(borrowed, &shown);
    v[0].i32 = error_out(code);
    return NULL;
}

#if HAVE_MPI_Type_get_envelope_c
IMPORT(MPI_Type_get_envelope_c) {
    ENTER("MPI_Type_get_envelope_c")
    const struct type_info *type = type_info_in(v[0].i32);
    if (type == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "datatype", ABI_MPI_ERR_TYPE);
        return NULL;
    }
    for (int i = 1; i < 6; i++) {
        if (!room((uint32_t)v[i].i32, 1, i < 5 ? 8 : 4)) {
            v[0].i32 = refuse(MPI_COMM_WORLD, here, "num_integers", ABI_MPI_ERR_ARG);
            return NULL;
        }
    }
    MPI_Count have[4] = {0};
    int combiner = MPI_COMBINER_NAMED;
    bool borrowed;
    MPI_Datatype shown;
    int code = MPI_Type_get_envelope_c(type_shown(type, &borrowed, &shown), &have[0], &have[1], &have[2], &have[3],
                                       &combiner);
    if (code == MPI_SUCCESS) {
        for (int i = 0; i < 4; i++) {
            put64((uint32_t)v[i + 1].i32, have[i]);
        }
        put32((uint32_t)v[5].i32, constant_out(constants_combiners, combiner));
    }
    type_given_back(borrowed, &shown);
    v[0].i32 = error_out(code);
    return NULL;
}
#endif

/* --- names --------------------------------------------------------------------------------------------------------- */

IMPORT(MPI_Type_get_name) {
    ENTER("MPI_Type_get_name")
    const struct type_info *type = type_info_in(v[0].i32);
    uint32_t name_at = (uint32_t)v[1].i32, length_at = (uint32_t)v[2].i32;
    char asked[MPI_MAX_OBJECT_NAME + 1] = "";
    const char *name = asked;
    int length = 0, code = MPI_SUCCESS;
    if (type == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "datatype", ABI_MPI_ERR_TYPE);
        return NULL;
    }
    if (type->name != NULL) {
        name = type->given_name != NULL ? type->given_name : type->name;
    } else {
        code = MPI_Type_get_name(type->host, asked, &length);
    }
    if (code == MPI_SUCCESS) {
        uint64_t bytes = strnlen(name, ABI_MPI_MAX_OBJECT_NAME - 1);
        if (!room(name_at, (int64_t)bytes + 1, 1) || !room(length_at, 1, 4)) {
            v[0].i32 = refuse(MPI_COMM_WORLD, here, "type_name", ABI_MPI_ERR_ARG);
            return NULL;
        }
        put_string(name_at, bytes + 1, name);
        put32(length_at, (int32_t)bytes);
    }
    v[0].i32 = error_out(code);
    return NULL;
}

IMPORT(MPI_Type_set_name) {
    ENTER("MPI_Type_set_name")
    struct scratch scratch = {NULL};
    struct type_info *type = type_info_in(v[0].i32);
    char *name = string_in(&scratch, (uint32_t)v[1].i32);
    if (type == NULL) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "datatype", ABI_MPI_ERR_TYPE);
    } else if (name == NULL || strlen(name) >= ABI_MPI_MAX_OBJECT_NAME) {
        v[0].i32 = refuse(MPI_COMM_WORLD, here, "type_name", ABI_MPI_ERR_ARG);
    } else if (type->name != NULL) {
        char *kept = strdup(name);
        if (kept != NULL) {
            free(type->given_name);
            type->given_name = kept;
        }
        v[0].i32 = kept == NULL ? refuse(MPI_COMM_WORLD, here, "type_name", ABI_MPI_ERR_NO_MEM) : ABI_MPI_SUCCESS;
    } else {
        v[0].i32 = error_out(MPI_Type_set_name(type->host, name));
    }
    scratch_free(&scratch);
    return NULL;
}
