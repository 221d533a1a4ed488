/**
 * Sends spans to an OpenTelemetry collector over OTLP/HTTP (JSON), in batches, behind the requests' backs. Where to, with what
 * headers and how many are kept is set by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`,
 * `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, …), which its SDK reads itself.
 */
import { propagation, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'

/** @param serviceName as traces show it, unless `OTEL_SERVICE_NAME` says otherwise. @returns sends what is left, then stops */
export function startTracing(serviceName: string): () => Promise<void> {
  const named = resourceFromAttributes({ 'service.name': serviceName })
  const provider = new BasicTracerProvider({
    resource: named.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  trace.setGlobalTracerProvider(provider)
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  return async () => {
    await provider.shutdown().catch(() => undefined) // a collector that is gone is no reason not to stop
    trace.disable()
    propagation.disable()
  }
}
