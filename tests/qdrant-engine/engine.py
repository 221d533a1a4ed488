"""One collection on Qdrant's own engine (qdrant-edge-py), in the words of Qdrant's REST API. What a field of a request would
ask that is not translated here is refused, never passed over."""
import tempfile
import uuid

import qdrant_edge as edge

SCHEMAS = {
    "keyword": edge.KeywordIndexParams,
    "integer": edge.IntegerIndexParams,
    "float": edge.FloatIndexParams,
}
MODES = {"insert_only": edge.UpdateMode.InsertOnly, "update_only": edge.UpdateMode.UpdateOnly}


#: Updates after which segments are merged and indexed, as a server does behind its writers: the suite then meets both kinds,
#: those that take writes and those that are sealed, with their other indexes.
UPDATES_BETWEEN_OPTIMIZATIONS = 20
#: KB from which a segment is sealed and indexed (Qdrant's own preset: 10,000): vectors of tests are few.
INDEXING_THRESHOLD = 1


class Refused(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def only(body: dict, *names: str) -> list:
    """The values of the fields; any other field is refused."""
    stray = set(body) - set(names)
    if stray:
        raise Refused(400, f"not translated to the engine: {sorted(stray)}")
    return [body.get(name) for name in names]


class Collection:
    def __init__(self, body: dict):
        vectors, quantization, metadata = only(body, "vectors", "quantization_config", "metadata")
        self.vectors = vectors
        self.quantization = quantization
        self.metadata = metadata or {}
        self.indexes: dict[str, dict] = {}
        self.folder = tempfile.TemporaryDirectory(prefix="onepeace-edge-")
        params = {name: edge.EdgeVectorParams(each["size"], distance(each)) for name, each in vectors.items()}
        optimizers = edge.EdgeOptimizersConfig(indexing_threshold=INDEXING_THRESHOLD)
        config = edge.EdgeConfig(vectors=params, quantization_config=quantizer(quantization), optimizers=optimizers)
        self.shard = edge.EdgeShard.create(self.folder.name, config)
        self.updates = 0

    def close(self) -> None:
        self.shard.close()
        self.folder.cleanup()

    def info(self) -> dict:
        schema = {name: {"data_type": each["type"], "params": each, "points": 0} for name, each in self.indexes.items()}
        config = {"params": {"vectors": self.vectors}, "hnsw_config": {}, "optimizer_config": {}}
        config |= {"metadata": self.metadata, "quantization_config": self.quantization}
        state = self.shard.info()
        counts = {"points_count": state.points_count, "segments_count": state.segments_count}
        counts["indexed_vectors_count"] = state.indexed_vectors_count
        return {"status": "green", "optimizer_status": "ok", "config": config, "payload_schema": schema, **counts}

    def patch(self, body: dict) -> bool:
        """Quantisation is noted, not applied: the engine in process takes it at creation only."""
        metadata, quantization = only(body, "metadata", "quantization_config")
        merged = self.metadata | (metadata or {})
        self.metadata = {key: value for key, value in merged.items() if value is not None}
        if quantization is not None:
            self.quantization = None if quantization == "Disabled" else quantization
        return True

    def index(self, body: dict) -> dict:
        name, schema = only(body, "field_name", "field_schema")
        schema = {"type": schema} if isinstance(schema, str) else schema
        options = {key: value for key, value in schema.items() if key != "type"}
        self.update(edge.UpdateOperation.create_field_index(name, SCHEMAS[schema["type"]](**options)))
        self.indexes[name] = schema
        return done()

    def add_vector(self, name: str, body: dict) -> dict:
        (dense,) = only(body, "dense")
        if name not in self.vectors:
            self.update(edge.UpdateOperation.create_dense_vector(name, dense["size"], distance(dense)))
            self.vectors[name] = dense
        return done()

    def drop_vector(self, name: str) -> dict:
        self.update(edge.UpdateOperation.delete_vector_name(name))
        self.vectors.pop(name, None)
        return done()

    def batch(self, body: dict) -> list:
        (operations,) = only(body, "operations")
        for operation in operations:
            for kind, what in operation.items():
                self.update(self.operation(kind, what))
        return [done() for _ in operations]

    def operation(self, kind: str, what: dict) -> edge.UpdateOperation:
        if kind == "upsert":
            points, mode, condition = only(what, "points", "update_mode", "update_filter")
            read = [edge.Point(*only(point, "id", "vector", "payload")) for point in points]
            return edge.UpdateOperation.upsert_points(read, filter_of(condition), MODES.get(mode))
        if kind == "update_vectors":
            points, condition = only(what, "points", "update_filter")
            read = [edge.PointVectors(*only(point, "id", "vector")) for point in points]
            return edge.UpdateOperation.update_vectors(read, filter_of(condition))
        if kind == "delete" and "filter" in what:
            return edge.UpdateOperation.delete_points_by_filter(filter_of(*only(what, "filter")))
        if kind == "delete":
            return edge.UpdateOperation.delete_points(*only(what, "points"))
        raise Refused(400, f"not translated to the engine: {kind}")

    def update(self, operation: edge.UpdateOperation) -> None:
        self.shard.update(operation)
        self.updates += 1
        if self.updates % UPDATES_BETWEEN_OPTIMIZATIONS == 0:
            self.shard.optimize()

    def retrieve(self, body: dict) -> list:
        ids, payload, vector = only(body, "ids", "with_payload", "with_vector")
        return [shown(each) for each in self.shard.retrieve(ids, payload_selector(payload), vector)]

    def scroll(self, body: dict) -> dict:
        names = ("offset", "limit", "filter", "with_payload", "with_vector")
        offset, limit, condition, payload, vector = only(body, *names)
        points, following = self.shard.scroll(
            edge.ScrollRequest(offset, limit, filter_of(condition), payload_selector(payload), vector)
        )
        return {"points": [shown(each) for each in points], "next_page_offset": following and str(following)}

    def count(self, body: dict) -> dict:
        condition, exact = only(body, "filter", "exact")
        return {"count": self.shard.count(edge.CountRequest(exact is not False, filter_of(condition)))}

    def query(self, body: dict) -> dict:
        names = ("query", "using", "filter", "limit", "params", "with_payload", "with_vector")
        query, using, condition, limit, params, payload, vector = only(body, *names)
        request = edge.QueryRequest(
            limit,
            query=edge.Query.Nearest(query, using),
            filter=filter_of(condition),
            with_payload=payload_selector(payload),
            with_vector=vector,
            params=search_params(params or {}),
        )
        return {"points": [{**shown(each), "version": each.version, "score": each.score} for each in self.shard.query(request)]}


def done() -> dict:
    return {"status": "completed", "operation_id": 0}


def distance(params: dict) -> edge.Distance:
    only(params, "size", "distance")
    return getattr(edge.Distance, params["distance"])


def quantizer(config: dict | None):
    if config is None:
        return None
    kind, options = next(iter(config.items()))
    if kind == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, options.get("quantile"), options.get("always_ram"))
    if kind == "binary":
        return edge.BinaryQuantizationConfig(options.get("always_ram"))
    raise Refused(400, f"not translated to the engine: quantization {kind}")


def search_params(params: dict) -> edge.SearchParams:
    exact, ef, quantization = only(params, "exact", "hnsw_ef", "quantization")
    wanted = quantization and edge.QuantizationSearchParams(
        rescore=quantization.get("rescore"), oversampling=quantization.get("oversampling")
    )
    return edge.SearchParams(hnsw_ef=ef, exact=bool(exact), quantization=wanted)


def payload_selector(select):
    if isinstance(select, dict):
        (excluded,) = only(select, "exclude")
        return edge.PayloadSelector.Exclude(excluded)
    return True if select is None else select


def shown(point) -> dict:
    answer = {"id": str(uuid.UUID(str(point.id)))}
    if point.payload is not None:
        answer["payload"] = point.payload
    if point.vector is not None:
        answer["vector"] = point.vector
    return answer


def filter_of(body: dict | None) -> edge.Filter | None:
    if body is None:
        return None
    lists = only(body, "must", "should", "must_not")
    return edge.Filter(*[None if each is None else [condition_of(one) for one in as_list(each)] for each in lists])


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def condition_of(condition: dict):
    if "nested" in condition:
        key, inner = only(*only(condition, "nested"), "key", "filter")
        return edge.NestedCondition(key, filter_of(inner))
    if "has_id" in condition:
        return edge.HasIdCondition(set(*only(condition, "has_id")))
    if "has_vector" in condition:
        return edge.HasVectorCondition(*only(condition, "has_vector"))
    if "key" not in condition:
        return filter_of(condition)
    key, match, bounds = only(condition, "key", "match", "range")
    return edge.FieldCondition(key, match and match_of(match), bounds and edge.RangeFloat(**bounds))


def match_of(match: dict):
    value, any_of = only(match, "value", "any")
    return edge.MatchValue(value) if "value" in match else edge.MatchAny(any_of)
