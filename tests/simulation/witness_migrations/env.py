from paybill_common.migrations import run_env
from paybill_common.tables import service_metadata

run_env(service_metadata())
