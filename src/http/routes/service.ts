/** `/v1/models`, `/livez`, `/readyz`, `/metrics` and `/openapi.json`. */

import { DEFAULT_TENANT } from '../../auth/keys.ts'
import type { HeadInfo } from '../../services/models.ts'
import type { Schemas } from '../openapi.ts'
import type { RouteContext } from '../route.ts'

export function serviceRoutes({ add, contract, deps: { models, forTenant, metrics, media } }: RouteContext): void {
  const document = JSON.stringify(contract.document)
  add('listModels', async () => modelList(models))
  add('getLiveness', async (): Promise<Schemas['Status']> => ({ status: 'live' }))
  add('getReadiness', async (request): Promise<Schemas['Readiness']> => {
    await models.ready(request.checked.modality as Schemas['Modality'] | undefined)
    await forTenant(DEFAULT_TENANT).collections.ready()
    await media.ready()
    return { status: 'ready', modalities: models.branches }
  })
  add('getMetrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  add('getContract', async (_request, reply) => reply.type('application/json').send(document))
}

function modelList({ info, heads }: RouteContext['deps']['models']): Schemas['ModelList'] {
  const { limits } = info
  return {
    object: 'list',
    data: [
      {
        id: info.name,
        object: 'model',
        created: info.createdS,
        owned_by: 'onepeace',
        dims: info.embedDim,
        modalities: [...info.modalities],
        heads: heads.map(({ name }) => name),
        head_details: heads.map(headBody),
        precision: info.precision,
        sha256: info.sha256,
      },
    ],
    limits: {
      max_request_bytes: limits.maxRequestBytes,
      max_inputs: limits.maxInputs,
      max_texts: limits.maxTexts,
      max_text_chars: limits.maxTextChars,
      max_image_pixels: limits.maxImagePixels,
      max_audio_seconds: limits.maxAudioSeconds,
      max_fetch_bytes: limits.maxFetchBytes,
      fetch_timeout_ms: limits.fetchTimeoutMs,
      max_metadata_bytes: limits.maxMetadataBytes,
      max_upload_bytes: limits.maxUploadBytes,
    },
  }
}

function headBody({ name, task, inputs, classes, labels }: HeadInfo): Schemas['HeadDetail'] {
  return { name, task, inputs: [...inputs], classes, ...(labels && { labels: [...labels] }) }
}
