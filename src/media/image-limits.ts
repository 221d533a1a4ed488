/** Bounds of pictures, apart from what decodes them. */

/** 64 MP, the limit stated in the contract. */
export const DEFAULT_MAX_PIXELS = 64_000_000
