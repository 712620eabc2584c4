"""Start LocalStack without what a KMS-only, plaintext, offline instance never uses.

Everything waits for the first answer of KMS. This saves a third of the imports, and a fresh RSA
certificate for an unused TLS port.
"""

import gc
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

gc.set_threshold(100_000)  # imports make no garbage; the default would collect 200 times

# Imported at LocalStack's start and not used by KMS: openapi_core validates requests to its own
# endpoints (only on demand), dns resolves and serves names, presigned_url is S3's.
UNUSED = ("openapi_core", "dns", "localstack.services.s3.presigned_url")


class Placeholder(ModuleType):
    """An empty module: each name imported from it is an exception class that nobody raises."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


class Placeholders:
    """Finds and loads a ``Placeholder`` for each unused module."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        unused = any(name == prefix or name.startswith(prefix + ".") for prefix in UNUSED)
        return ModuleSpec(name, self, is_package=True) if unused else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


sys.meta_path.insert(0, Placeholders())

from localstack.aws.handlers.region import RegionRewriter  # noqa: E402
from localstack.runtime import main  # noqa: E402
from localstack.runtime.runtime import LocalstackRuntime  # noqa: E402


def serve_plaintext(self: LocalstackRuntime) -> None:
    self.components.runtime_server.register(self.components.gateway, self.config.GATEWAY_LISTEN)


LocalstackRuntime._init_gateway_server = serve_plaintext  # noqa: SLF001 - there is no setting
# It would take every Region that S3's model does not name, which is not in this image, for
# us-east-1. The testbed lets none but AWS's Regions through.
RegionRewriter.__call__ = lambda self, chain, context, response: None
main.main()
