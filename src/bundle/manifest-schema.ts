/** JSON Schema of `manifest.json`; `BundleManifest` in manifest.ts is its TypeScript face. */
const positive = { type: 'integer', minimum: 1 }
/** A plain file name: a manifest from elsewhere must not reach outside its folder. */
const fileName = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }

const object = (properties: Record<string, unknown>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  additionalProperties: false,
})

export const manifestSchema = object(
  {
    formatVersion: { const: 1 },
    name: { type: 'string', minLength: 1 },
    embedDim: positive,
    precision: { enum: ['fp32', 'fp16'] },
    modalities: { type: 'array', items: { enum: ['text', 'image', 'audio'] }, minItems: 1, uniqueItems: true },
    logitScale: { type: 'number' },
    text: object({ graph: fileName, maxTokens: positive, vocabSize: positive }),
    image: object({ graph: fileName, preprocessGraph: fileName, sizePx: positive }),
    audio: object({
      graph: fileName,
      sampleRateHz: positive,
      minSamples: positive,
      maxSamples: positive,
      convLayers: { type: 'array', items: object({ kernel: positive, stride: positive }) },
    }),
    tokenizer: object({ encoder: fileName, merges: fileName, dictionary: fileName }),
    weights: fileName,
    licence: { type: 'string' },
    files: {
      type: 'array',
      items: object({
        path: fileName,
        bytes: { type: 'integer', minimum: 0 },
        sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      }),
    },
  },
  ['text', 'image', 'audio', 'tokenizer', 'licence'],
)
