/** The three modalities of ONE-PEACE, in the order of the paper's figures; the one name for each across the code. */
export const MODALITIES = ['text', 'image', 'audio'] as const

export type Modality = (typeof MODALITIES)[number]
