#!/bin/bash
# What this container is: master, worker, driver or executor (these two as Spark on Kubernetes calls them), or a command.
set -euo pipefail

# The others reach this container by its address: nobody resolves the name that it gives itself.
if [ -z "${SPARK_LOCAL_HOSTNAME:-}" ]; then
  SPARK_LOCAL_HOSTNAME="$(hostname -i | cut -d ' ' -f 1)"
  export SPARK_LOCAL_HOSTNAME
fi

case "${1:-}" in
  master)
    exec spark-class org.apache.spark.deploy.master.Master --port 7077 --webui-port 8080 "${@:2}"
    ;;
  worker)
    exec spark-class org.apache.spark.deploy.worker.Worker --webui-port 8081 "${@:2}"
    ;;
  driver)
    exec spark-submit --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" --deploy-mode client "${@:2}"
    ;;
  executor)
    options=()
    for ((number = 0; ; number++)); do
      name="SPARK_JAVA_OPT_$number"
      [ -n "${!name+set}" ] || break
      options+=("${!name}")
    done
    exec java "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$SPARK_CONF_DIR:$SPARK_HOME/jars/*" \
      org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
      --driver-url "$SPARK_DRIVER_URL" \
      --executor-id "$SPARK_EXECUTOR_ID" \
      --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" \
      --hostname "$SPARK_EXECUTOR_POD_IP" \
      --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
      --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
  *)
    exec "$@"
    ;;
esac
