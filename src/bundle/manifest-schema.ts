/** JSON Schema of `manifest.json`; `BundleManifest` in manifest.ts is its TypeScript face. */
import { HEAD_TASKS, PRECISIONS } from './manifest.ts'

const positive = { type: 'integer', minimum: 1 }
/** A plain file name: a manifest from elsewhere must not reach outside its folder. */
const fileName = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }

const object = (properties: Record<string, unknown>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  additionalProperties: false,
})

const text = { maxTokens: positive, vocabSize: positive }
const image = { preprocessGraph: fileName, sizePx: positive }
const audio = {
  sampleRateHz: positive,
  minSamples: positive,
  maxSamples: positive,
  convLayers: { type: 'array', items: object({ kernel: positive, stride: positive }) },
}

const head = object(
  {
    name: fileName,
    task: { enum: HEAD_TASKS },
    graph: fileName,
    inputs: { type: 'array', items: { enum: ['text', 'image', 'image2', 'audio'] }, minItems: 1, uniqueItems: true },
    classes: positive,
    labels: { type: 'array', items: { type: 'string' } },
    text: object(text),
    image: object(image),
    audio: object(audio),
  },
  ['labels', 'text', 'image', 'audio'],
)

export const manifestSchema = object(
  {
    formatVersion: { const: 1 },
    name: { type: 'string', minLength: 1 },
    embedDim: positive,
    precision: { enum: PRECISIONS },
    modalities: { type: 'array', items: { enum: ['text', 'image', 'audio'] }, uniqueItems: true },
    logitScale: { type: 'number' },
    text: object({ graph: fileName, ...text }),
    image: object({ graph: fileName, ...image }),
    audio: object({ graph: fileName, ...audio }),
    heads: { type: 'array', items: head },
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
  ['text', 'image', 'audio', 'heads', 'tokenizer', 'licence'],
)
