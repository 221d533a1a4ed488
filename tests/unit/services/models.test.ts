import { expect, it } from 'vitest'
import type { Encoder } from '../../../src/encoder/encoder.ts'
import type { Modality } from '../../../src/modality.ts'
import { type ModelInfo, ModelService } from '../../../src/services/models.ts'

const info = { name: 'm', modalities: ['text', 'image'] } as unknown as ModelInfo

it('asks for the branch that is meant, and tells how each stands', async () => {
  const asked: (Modality | undefined)[] = []
  const encoder: Partial<Encoder> = {
    ready: async (modality) => void asked.push(modality),
    stateOf: (modality) => (modality === 'text' ? 'ready' : 'unopened'),
  }
  const models = new ModelService(info, encoder as Encoder)
  await models.ready('text')
  await models.ready()
  expect(asked).toEqual(['text', undefined])
  expect(models.branches).toEqual({ text: 'ready', image: 'unopened' })
  await expect(models.ready('audio')).rejects.toMatchObject({ code: 'invalid-request' })
})

it('takes an encoder that cannot tell of branches at its word', () => {
  expect(new ModelService(info, {} as Encoder).branches).toEqual({ text: 'ready', image: 'ready' })
})
